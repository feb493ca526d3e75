/**
 * Leaves out of the mutants the sentences that only people read: `detail` of a failure and the message of a thrown bug. No
 * program decides by them, so a test of their words would only repeat them.
 */
import { type Ignorer, type NodePath } from '@stryker-mutator/api/ignore'
import { PluginKind, declareValuePlugin } from '@stryker-mutator/api/plugin'

/** Which argument of these calls is the sentence. */
const SENTENCE_AT: Readonly<Record<string, number>> = { failure: 2, malformed: 2, missingHttpUser: 0, Error: 0 }

/** What is used of a node of Babel. */
interface Node {
  readonly type: string
  readonly callee?: { readonly name?: string }
  readonly arguments?: readonly unknown[]
  readonly key?: { readonly name?: string }
}

const ignorer: Ignorer = {
  shouldIgnore(path: NodePath): string | undefined {
    const { node, parent } = path as { readonly node: Node; readonly parent?: Node | null }
    if (node.type !== 'StringLiteral' && node.type !== 'TemplateLiteral') return undefined
    const at = SENTENCE_AT[parent?.callee?.name ?? '']
    const isSentence = at !== undefined && parent?.arguments?.[at] === node
    const isDetail = parent?.type === 'ObjectProperty' && parent.key?.name === 'detail'
    return isSentence || isDetail ? 'a sentence for people' : undefined
  },
}

export const strykerPlugins: readonly unknown[] = [declareValuePlugin(PluginKind.Ignore, 'texts-for-people', ignorer)]
