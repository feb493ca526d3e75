/**
 * Leaves out of the mutants the sentences that only people read: `detail` of a failure, the message of a thrown bug, what is
 * wrong in a policy. No program decides by them, so a test of each word would only repeat it.
 */
import { type Ignorer, type NodePath } from '@stryker-mutator/api/ignore'
import { PluginKind, declareValuePlugin } from '@stryker-mutator/api/plugin'

/** Which argument of these calls is the sentence. */
const SENTENCE_AT: Readonly<Record<string, number>> = {
  failure: 2,
  malformed: 2,
  missingHttpUser: 0,
  Error: 0,
  RangeError: 0,
  // What methods make a failure with.
  failed: 1,
  clientFault: 1,
  unexpected: 0,
  // Methods of the notes on a policy.
  wrong: 1,
  textAt: 2,
}

interface Named {
  readonly name?: string
}

/** What is used of a node of Babel. */
interface Node {
  readonly type: string
  /** A name, or a member, whose property may be private. */
  readonly callee?: { readonly name?: string; readonly property?: Named & { readonly id?: Named } }
  readonly arguments?: readonly unknown[]
  readonly key?: Named
}

const ignorer: Ignorer = {
  shouldIgnore(path: NodePath): string | undefined {
    const { node, parent } = path as { readonly node: Node; readonly parent?: Node | null }
    if (node.type !== 'StringLiteral' && node.type !== 'TemplateLiteral') return undefined
    const { name, property } = parent?.callee ?? {}
    const at = SENTENCE_AT[name ?? property?.name ?? property?.id?.name ?? '']
    const isSentence = at !== undefined && parent?.arguments?.[at] === node
    const isDetail = parent?.type === 'ObjectProperty' && parent.key?.name === 'detail'
    return isSentence || isDetail ? 'a sentence for people' : undefined
  },
}

export const strykerPlugins: readonly unknown[] = [declareValuePlugin(PluginKind.Ignore, 'texts-for-people', ignorer)]
