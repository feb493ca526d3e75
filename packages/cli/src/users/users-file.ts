/**
 * The users file: one `name:$argon2id$...` a line, comments from `#`. Changes replace the whole file at once, so that a
 * reader sees the old one or the new one. Knows no password.
 */
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { type PasswordHash, formatHash, parseHash } from './password.ts'
import { userNameFault } from './user-name.ts'

// Only its owner may see even the hashes.
const MODE = 0o600

const HEADING = '# Users of socksmith: name:hash, one a line. Change it with "socksmith user".\n'

/** Stands before the hash of a user who may not log in, as in shadow(5). */
const DISABLED = '!'

/** The users by name. */
export type Users = ReadonlyMap<string, PasswordHash>

/** Lines that are read in one go, a few milliseconds: a server with many users serves on while it reads them again. */
const LINES_A_TURN = 1_000

/** Reads the file. A missing file is a trouble, and so is one wrong line: a user must not vanish in silence. */
export async function readUsersFile(path: string): Promise<Outcome<Users>> {
  const text = await readText(path)
  if (!text.ok) return text
  const reading = readLines(path, text.value)
  for (;;) {
    const { done: isDone, value } = reading.next()
    if (isDone === true) return value
    await nextTurn()
  }
}

async function readText(path: string): Promise<Outcome<string>> {
  try {
    return done(await readFile(path, 'utf8'))
  } catch (error) {
    return trouble(EXIT.NO_INPUT, `cannot read the users file ${path}: ${fileErrorText(error)}`)
  }
}

/** The users in the text of a users file. `path` is for the words of a trouble, which never show the line itself. */
export function parseUsers(path: string, text: string): Outcome<Users> {
  const reading = readLines(path, text)
  for (;;) {
    const { done: isDone, value } = reading.next()
    if (isDone === true) return value
  }
}

/** Pauses after every turn. */
function* readLines(path: string, text: string): Generator<void, Outcome<Users>> {
  const users = new Map<string, PasswordHash>()
  for (const [index, line] of text.split('\n').entries()) {
    if (index % LINES_A_TURN === LINES_A_TURN - 1) yield
    const content = line.trim()
    if (content === '' || content.startsWith('#')) continue
    const name = nameOf(content)
    const hash = parseEntry(content.slice(name.length + 1))
    const fault = lineFault(content, name, hash !== undefined, users.has(name))
    if (fault !== undefined) return trouble(EXIT.DATA, `${path}:${index + 1}:1: ${fault}`)
    if (hash !== undefined) users.set(name, hash)
  }
  return done(users)
}

function parseEntry(text: string): PasswordHash | undefined {
  if (!text.startsWith(DISABLED)) return parseHash(text)
  const hash = parseHash(text.slice(DISABLED.length))
  return hash && { ...hash, isDisabled: true }
}

function nameOf(line: string): string {
  return line.trim().split(':', 1)[0] ?? ''
}

function lineFault(content: string, name: string, hasHash: boolean, isKnown: boolean): string | undefined {
  if (!content.includes(':')) return 'expected name:hash; passwords are set with "socksmith user passwd"'
  const fault = userNameFault(name)
  if (fault !== undefined) return fault
  if (!hasHash) return 'expected an argon2id hash after the name; set the password with "socksmith user passwd"'
  return isKnown ? 'this user is there twice' : undefined
}

/** What is to be done to the users; a trouble leaves the file as it was. */
export type Change = (users: Users) => Outcome<{ readonly name: string; readonly hash: PasswordHash | undefined }>

/**
 * Sets or removes one user. The new file is written beside the old one (`.new`, which also keeps out a second change),
 * flushed and renamed over it. Comments and order stay. With `create`, a missing file is begun.
 */
export async function changeUsersFile(path: string, create: boolean, change: Change): Promise<Outcome<void>> {
  const target = await realpath(path).catch(() => path)
  const temporary = `${target}.new`
  let file: FileHandle
  try {
    file = await open(temporary, 'wx', MODE)
  } catch (error) {
    const isBusy = (error as NodeJS.ErrnoException).code === 'EEXIST'
    const reason = isBusy ? 'another change is going on; if it is not, remove the file' : fileErrorText(error)
    return trouble(EXIT.CANNOT_WRITE, `cannot write ${temporary}: ${reason}`)
  }
  let renamed = false
  try {
    const text = await changedText(target, create, change)
    if (!text.ok) return text
    await file.writeFile(text.value)
    await keepOwner(file, target)
    await file.sync()
    await rename(temporary, target)
    renamed = true
    await syncFolder(dirname(target))
    return done(undefined)
  } catch (error) {
    return trouble(EXIT.CANNOT_WRITE, `cannot write the users file ${path}: ${fileErrorText(error)}`)
  } finally {
    await file.close()
    if (!renamed) await rm(temporary, { force: true })
  }
}

async function changedText(path: string, create: boolean, change: Change): Promise<Outcome<string>> {
  const isMissing = create && (await stat(path).catch(() => undefined)) === undefined
  const text = isMissing ? done(HEADING) : await readText(path)
  if (!text.ok) return text
  const users = parseUsers(path, text.value)
  if (!users.ok) return users
  const changed = change(users.value)
  if (!changed.ok) return changed
  const { name, hash } = changed.value
  const line = hash === undefined ? [] : [`${name}:${hash.isDisabled === true ? DISABLED : ''}${formatHash(hash)}`]
  const lines = text.value.replace(/\n$/, '').split('\n')
  const at = lines.findIndex(one => !one.trim().startsWith('#') && nameOf(one) === name)
  lines.splice(at === -1 ? lines.length : at, at === -1 ? 0 : 1, ...line)
  return done(`${lines.join('\n')}\n`)
}

/** Root may edit the file of the account that runs the server, which must still be able to read it. */
async function keepOwner(file: FileHandle, path: string): Promise<void> {
  const old = await stat(path).catch(() => undefined)
  const own = await file.stat()
  if (old !== undefined && (old.uid !== own.uid || old.gid !== own.gid)) await file.chown(old.uid, old.gid)
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
