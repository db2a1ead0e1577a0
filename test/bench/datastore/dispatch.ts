/** What a view costs the dispatcher of a watch, by itself. */
import { Option } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as FanOut from "../../../src/internal/watch/fanOut.js"
import * as Registry from "../../../src/internal/watch/registry.js"
import * as Watcher from "../../../src/internal/watch/watcher.js"
import { type Bench, interleave } from "../support/bench.js"
import { uniform } from "../support/draws.js"
import { start, watcherOf } from "../support/watchers.js"

const events = 20_000
const slice = 1000

/** Revisions dispatched between two looks at the clock, as the dispatcher does it. */
const chunk = 32

const drawn = (keys: number): ReadonlyArray<ChangeLog.LoggedRevision<number>> => {
  const next = uniform(42)
  return Array.from({ length: events }, (_, i) => {
    const revision: ChangeLog.Revision = { epoch: "bench", seq: i + 1, tag: 0 }
    const key = `orders/${Math.floor(next() * keys)}`
    return { revision, events: [{ _tag: "Put", key, value: i, revision }], previous: [Option.some(i - 1)] }
  })
}

/** Nanoseconds an event; the readers take between the slices, which is not timed. */
const side = (selectors: ReadonlyArray<ChangeLog.Selector>, viewed: boolean) => {
  const rows = drawn(1000)
  const registry = Registry.make<number>(() => {})
  const watchers = selectors.map((selector, i) => watcherOf(i + 1, selector, viewed))
  for (const watcher of watchers) Registry.add(registry, watcher, start, start)
  return (): number => {
    Registry.skipTo(registry, start)
    let spent = 0
    for (let from = 0; from < rows.length; from += slice) {
      const part = rows.slice(from, from + slice)
      const began = performance.now()
      for (let i = 0; i < part.length; i += chunk)
        FanOut.dispatch(registry, part, i, Math.min(i + chunk, part.length))
      spent += performance.now() - began
      for (const watcher of watchers) while (Watcher.take(watcher) !== undefined);
    }
    return (spent * 1e6) / rows.length
  }
}

/** Compares follows with a view that matches all to follows without one. */
export const views = async (bench: Bench): Promise<void> => {
  const own = Array.from({ length: 1000 }, (_, i) => ChangeLog.key(`orders/${i}`))
  const kinds = [
    ["1,000 watchers of own keys", own],
    ["1 watcher of all", [ChangeLog.prefix("")]]
  ] as const
  for (const [name, selectors] of kinds) {
    const samples = await interleave(
      { rounds: bench.pairs, parts: 5, warmUps: 2 },
      { plain: side(selectors, false), viewed: side(selectors, true) }
    )
    bench.figure(`dispatch, ${name}`, samples.plain, "ns/event")
    bench.figure("the same with a view", samples.viewed, "ns/event")
    bench.ratio(`dispatch with a view that matches all, ${name}`, samples.viewed, samples.plain, {
      atMost: 2
    })
  }
}
