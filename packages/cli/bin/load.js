// Loads a module of the command: its source in a checkout, and what was built from it elsewhere. `name` is its path
// under src/ without the ending.

export async function load(name) {
  const { existsSync } = await import('node:fs')
  const source = new URL('../src/' + name + '.ts', import.meta.url)
  if (!existsSync(source)) return import('../dist/' + name + '.js')
  const { enableCompileCache, registerHooks } = await import('node:module')
  const { fileURLToPath } = await import('node:url')
  // What was compiled once is not compiled at every start, and the compiler of TypeScript is not even loaded. In the
  // checkout, because whoever may write there may change the sources too; a folder for all users would not do.
  enableCompileCache(fileURLToPath(new URL('../../../node_modules/.cache/socksmith', import.meta.url)))
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, '@socksmith/source'] }),
  })
  return import(source.href)
}
