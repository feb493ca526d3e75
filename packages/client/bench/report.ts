/** The figures as a table, and as the page of the documentation. Knows nothing of how they were won. */
import { type Estimate, estimate, estimateText, median } from '@socksmith/instruments/bench'
import { cpus, loadavg, release, totalmem, type } from 'node:os'

/** One measurement. */
export interface Sample {
  readonly rate: number
  /** Of the thread of the client, for one unit. */
  readonly cpuMicroseconds: number
}

/** One row: the medians of each contestant, ours first, and of ours to the best of the others in the same round. */
export interface Result {
  readonly title: string
  readonly unit: string
  readonly figures: readonly { readonly name: string; readonly rate: number }[]
  readonly ratio: Estimate
  readonly cpuRatio: Estimate
}

/** `samples`: of each contestant, by round. */
export function resultOf(
  title: string,
  unit: string,
  contestants: readonly { readonly name: string }[],
  samples: readonly (readonly Sample[])[],
): Result {
  const [ours = [], ...others] = samples
  const figures = contestants.map(({ name }, at) => ({
    name,
    rate: median(samples[at]?.map(({ rate }) => rate) ?? []),
  }))
  // Within a round, so that what else the machine does weighs on both alike.
  const ratio = estimate(
    ours.map(({ rate }, round) => rate / Math.max(...others.map(other => other[round]?.rate ?? 0))),
  )
  const cpuRatio = estimate(
    ours.map(({ cpuMicroseconds }, round) => {
      return cpuMicroseconds / Math.min(...others.map(other => other[round]?.cpuMicroseconds ?? Infinity))
    }),
  )
  return { title, unit, figures, ratio, cpuRatio }
}

/** A Markdown table. */
export function table(results: readonly Result[]): string {
  const lines = ['| | ours | others | rate, ratio | CPU per unit, ratio |', '| --- | --: | --: | --: | --: |']
  for (const { title, unit, figures, ratio, cpuRatio } of results) {
    const [ours, ...others] = figures.map(({ name, rate }) => `${name}: ${shown(rate)}`)
    lines.push(
      `| ${title}, ${unit} | ${ours} | ${others.join('; ')} | ${estimateText(ratio)} | ${estimateText(cpuRatio)} |`,
    )
  }
  return `${lines.join('\n')}\n`
}

// More digits than two or three would be noise.
function shown(rate: number): string {
  return Math.round(rate).toLocaleString('en')
}

/** docs/client-benchmarks.md. */
export function page(
  results: readonly Result[],
  { command, seconds, rounds }: { readonly command: string; readonly seconds: number; readonly rounds: number },
): string {
  const [processor] = cpus()
  const machine = [
    `${cpus().length} × ${processor?.model.trim() ?? 'unknown'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${type()} ${release()}`,
    `Node ${process.versions.node}`,
    `load average at the end ${(loadavg()[0] ?? 0).toFixed(1)}`,
  ]
  return `# Benchmarks of the client

Written by \`${command}\`; run it to get your own figures. The ratios are ours to the best of the
others in the same round, the median of all rounds, and in brackets where that median would lie 95 times in 100: a rate above 1
is faster, processor time below 1 is cheaper, and brackets around 1 tell no difference. Read the ratios; the absolute figures
belong to the machine. On a machine that has other work, the rates of short runs scatter widely,
and the processor time says more.

${table(results)}
Machine: ${machine.join(', ')}. Date: ${new Date().toISOString().slice(0, 10)}.

## What is measured

Everything on loopback, SOCKS5 without a password, every library called as its documentation says. The client runs in the
main thread, whose processor time is told. A second thread is a proxy that does as little as a proxy can and is the target itself, so that the client is
what the figures depend on. Each row has a process of its own. Each figure is the median of ${rounds} rounds of ${seconds} s; within a
round all contestants are measured, one right after the other, and who begins changes from round to round. One round before them
only warms up.

Not measured: names, passwords, TLS towards the proxy, UDP, memory, and anything across a real network.
`
}
