/**
 * Measures contestants in turns: in each round all of them run, one after the other, and a ratio is taken within the
 * round. What disturbs the machine for longer than a round disturbs both sides of a ratio.
 */
import { do_not_optimize as keep, measure } from "mitata"

export { keep }

/** How many rounds a row is measured in. */
export const rounds = Number(process.env.BENCH_ROUNDS ?? 15)

const roundMillis = Number(process.env.BENCH_ROUND_MS ?? 40)

const only = process.env.BENCH_ROW

/** Where a share of the sorted values lies. */
const quantile = (values, share) => values.toSorted((a, b) => a - b)[Math.round((values.length - 1) * share)]

/** The median of some values, and the quartiles around it. */
export const spread = (values) => ({
  median: quantile(values, 0.5),
  q1: quantile(values, 0.25),
  q3: quantile(values, 0.75)
})

/**
 * Nanoseconds an operation, where one call of `run` does `operations` of them: the lower quartile of the round, since
 * what disturbs the machine only ever adds.
 */
const time = async ({ operations = 1, run }) => {
  const { p25 } = await measure(run, { gc: false, min_cpu_time: roundMillis * 1e6, min_samples: 5 })
  return p25 / operations
}

/** A contestant that does `operations` in one call. */
export const contestant = (operations, run) => ({ operations, run })

/** A contestant that does one thing. What it gives is kept: an engine drops a read that nobody looks at. */
export const once = (run) => contestant(1, () => keep(run()))

/** A contestant that reads each of some keys. */
export const reads = (keys, read) =>
  contestant(keys.length, () => {
    for (const key of keys) {
      keep(read(key))
    }
  })

/**
 * Has the engine see all contestants in turns before it compiles any: code that they share (`getStore`, say) would else be
 * compiled for the first of them alone.
 */
const introduce = async (contestants) => {
  for (let call = 0; call < calls; call++) {
    for (const [, { operations = 1, run }] of contestants) {
      if (call < Math.ceil(calls / operations)) {
        await run()
      }
    }
  }
}

const calls = 400

/**
 * Measures a row in rounds. `ours`, `base` and `peers` are contestants, or whatever the row's `sample` takes.
 */
const measureRow = async ({ ours, base, peers = {}, sample = time, rounds: own = rounds, warmUp = true, ...row }) => {
  const contestants = Object.entries({ base, ours, ...peers })
  const samples = Object.fromEntries(contestants.map(([name]) => [name, []]))
  if (sample === time) {
    await introduce(contestants)
  }
  for (let round = warmUp ? -1 : 0; round < own; round++) {
    // the order turns, so that nobody always runs after the same neighbour
    const turn = Math.max(round, 0) % contestants.length
    for (const [name, contestant] of [...contestants.slice(turn), ...contestants.slice(0, turn)]) {
      // not a full one: with it V8 drops what it has learnt of the code, and compiles anew in the midst of the round
      globalThis.gc({ type: "minor" })
      const value = await sample(contestant)
      if (round >= 0) {
        samples[name].push(value)
      }
    }
  }
  const compare = (name) => spread(samples.ours.map((value, round) => row.compare(value, samples[name][round])))
  return {
    ...row,
    value: compare("base"),
    ours: spread(samples.ours).median,
    base: spread(samples.base).median,
    peers: Object.fromEntries(
      Object.keys(peers).map((name) => [name, { value: compare(name), theirs: spread(samples[name]).median }])
    )
  }
}

const kinds = {
  /** How many times the base's: time, or heap. */
  ratio: { kind: "ratio", unit: "ns", compare: (ours, base) => ours / base },
  /** How much more than the base. */
  difference: { kind: "difference", unit: "bytes", compare: (ours, base) => ours - base }
}

/** A row whose value is ours by the base's. */
export const ratio = (row) => ({ ...kinds.ratio, ...row })

/** A row whose value is ours less the base's. */
export const difference = (row) => ({ ...kinds.difference, ...row })

/** Runs the rows of a suite and hands them to the parent process. */
export const suite = async (rows) => {
  const results = []
  for (const row of rows) {
    if (only === undefined || only === row.id) {
      process.stderr.write(`  ${row.id}\n`)
      const { within = (f) => f(), ...rest } = row
      const { compare: _, ...result } = await within(() => measureRow(rest))
      results.push(result)
    }
  }
  process.stdout.write(JSON.stringify(results), () => process.exit(0))
}
