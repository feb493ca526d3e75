/** Node's HTTP, loaded for the first client that speaks it: most servers never see one, and `import` would load fetch, too. */

export function nodeHttp(): typeof import('node:http') {
  return process.getBuiltinModule('node:http')
}
