/** Abilities as a test wants them, without asking a server. */
import { type Abilities, NEEDS, type Need } from '@socksmith/instruments'

const CAN = { has: true } as const satisfies Abilities[Need]

export const LACK = { has: false, reason: 'by the test' } as const satisfies Abilities[Need]

export const ALL_ABILITIES: Abilities = Object.fromEntries(Object.keys(NEEDS).map(need => [need, CAN])) as Abilities
