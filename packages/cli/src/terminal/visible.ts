/** Text from outside made safe to show: it cannot move the cursor, colour the screen, break the line or turn it round. */

/** The text with control, format and separator characters as `\u{..}`, so that every line stays one line. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    character => `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  )
}
