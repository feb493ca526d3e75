import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONFIG_FLAGS } from '../../src/config/flags.ts'
import { type JsonSchema, configJsonSchema } from '../../src/config/schema.ts'

/** Every key that holds a value; the elements of `listen` as if they were one map. */
function leaves(schema: JsonSchema, path: string): readonly string[] {
  const forms = [schema, ...(schema.anyOf ?? []), ...(schema.items?.anyOf ?? [])]
  const properties = forms.flatMap(form => Object.entries(form.properties ?? {}))
  if (properties.length === 0) return [path]
  return properties.flatMap(([key, below]) => leaves(below, path === '' ? key : `${path}.${key}`))
}

// Ways have names of their own: a command line is no place for them.
test('every key of the file has a flag of the same words, and every flag a key', () => {
  const keys = leaves(configJsonSchema(), '').filter(
    key => !key.startsWith('limits.') && key !== 'ways' && key !== 'dns.hosts',
  )
  // --listen gives the address of a listener; --limit sets every key of limits.
  const flags = CONFIG_FLAGS.map(flag => flag.path.join('.')).map(path => (path === 'listen' ? 'listen.address' : path))
  assert.deepEqual(flags.toSorted(), keys.toSorted())
  for (const flag of CONFIG_FLAGS) {
    const words = flag.path.join('-').replace(/^listen-/, '')
    assert.equal(flag.name, words === 'users-file' ? 'users' : words)
  }
})
