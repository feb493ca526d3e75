/**
 * Finds optional packages that the lockfile names and does not hold. npm leaves out, in silence, a platform package
 * that it could not get, and `npm ci` then refuses the lockfile.
 */
import { readFileSync } from 'node:fs'

interface LockedPackage {
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** The missing ones, as `package needs dependency`. */
export function missingFromLock(path: string): readonly string[] {
  const lock = JSON.parse(readFileSync(path, 'utf8')) as { readonly packages: Readonly<Record<string, LockedPackage>> }
  const missing: string[] = []
  for (const [at, { optionalDependencies = {} }] of Object.entries(lock.packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      if (!isLocked(lock.packages, at, name)) missing.push(`${at || 'the workspace'} needs ${name}`)
    }
  }
  return missing
}

// A dependency may be nested in its dependent or lie in any folder above it.
function isLocked(packages: Readonly<Record<string, LockedPackage>>, from: string, name: string): boolean {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (`${folder === '' ? '' : `${folder}/`}node_modules/${name}` in packages) return true
    if (folder === '') return false
    if (!folder.includes('/node_modules/')) return `node_modules/${name}` in packages
  }
}
