// Loads a module of the command: its source in a checkout, and what was built from it elsewhere. `name` is its path
// under src/ without the ending.

export async function load(name) {
  const { existsSync } = await import('node:fs')
  const source = new URL('../src/' + name + '.ts', import.meta.url)
  if (!existsSync(source)) return import('../dist/' + name + '.js')
  const { registerHooks } = await import('node:module')
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, '@socksmith/source'] }),
  })
  return import(source.href)
}
