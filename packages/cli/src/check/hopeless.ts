/** What a CI is told when a server cannot be asked anything: JSON, and JUnit with an error of the suite. Prints nothing. */

/** Without `results`: nobody takes it for a report of a server that passed. */
export function hopelessJson(proxy: string, reason: string): string {
  return JSON.stringify({ proxy, error: reason }, undefined, 2)
}

/** JUnit has errors of cases only, so the one case stands for all of them. */
export function hopelessJunit(proxy: string, reason: string): string {
  const counts = 'tests="1" failures="0" errors="1" skipped="0"'
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="${escaped(`socksmith check ${proxy}`)}" ${counts}>
  <testsuite name="socksmith check" ${counts}>
    <testcase classname="check" name="the server can be asked">
      <error message="${escaped(reason)}"/>
    </testcase>
  </testsuite>
</testsuites>
`
}

/** XML has no place for control characters, not even as entities. */
function escaped(text: string): string {
  return text
    .replaceAll(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
}
