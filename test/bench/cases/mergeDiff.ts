/** What it costs to find 10 differences in a pool of 100,000 rows, beside taking its whole state. */
import { define } from "../../../src/internal/mergePool/definition.js"
import { type Follower, makeFollower } from "../../../src/internal/mergePool/follower.js"
import { hashState } from "../../../src/internal/mergePool/hashedState.js"
import { noteChanges, rootSum } from "../../../src/internal/mergePool/hashTree.js"
import { makeHub } from "../../../src/internal/mergePool/hub.js"
import { merge } from "../../../src/internal/mergePool/merging.js"
import type { Patch, RowPatch } from "../../../src/internal/mergePool/patch.js"
import { makeReplica } from "../../../src/internal/mergePool/replica.js"
import { clientOfBits, makeStamp, noStamp } from "../../../src/internal/mergePool/stamp.js"
import { makeState, type State, statePatch } from "../../../src/internal/mergePool/state.js"
import { last } from "../../../src/internal/mergePool/values.js"
import { exchange } from "../../support/mergePool/exchangeParts.js"
import { type Case, interleave } from "../support/bench.js"

const made = define({ title: last(), by: last(), n: last() })
if ("_tag" in made) throw new Error(made.message)
const definition = made

const time = 1_700_000_000_000
const writer = clientOfBits(7n)

const row = (n: number, version: number): RowPatch => {
  const stamp = makeStamp(time + version, n, writer)
  return [
    `row-${n}`,
    noStamp,
    [
      ["title", stamp, `what is written in row ${n}`],
      ["by", stamp, "a client"],
      ["n", stamp, n + version]
    ]
  ]
}

const rowsOf = (first: number, count: number, version: number): Patch => ({
  horizon: noStamp,
  rows: Array.from({ length: count }, (_, n) => row(first + n, version))
})

const mergeAll = (state: State, patch: Patch): void => {
  const outcome = merge(state, patch)
  if (outcome._tag === "Refused") throw new Error(outcome.message)
  if (outcome.changes.length === 0) throw new Error("nothing changed")
}

/** Lets a client come up to date with a hub, over text. Returns the bytes both ways, and the requests. */
const meet = (hub: ReturnType<typeof makeHub>, follower: Follower) => {
  const connection = exchange.server.open(hub.served)
  const trips: Array<string> = []
  let bytes = 0
  let requests = exchange.client.connect(follower, time)
  while (requests.length > 0) {
    const answers: Array<string> = []
    for (const action of requests) {
      if (action._tag === "Ended") throw new Error(action.message)
      if (action._tag !== "Send") continue
      const text = exchange.encode(action.message)
      if (action.message._tag !== "Merge") trips.push(action.message._tag)
      bytes += text.length
      const message = exchange.decodeClient(text)
      if (message._tag === "Malformed") throw new Error(message.message)
      for (const next of exchange.server.receive(connection, message, time)) {
        if (next._tag === "Send") answers.push(exchange.encode(next.message))
        else {
          const { delta, outcome } = exchange.hub.merge(hub, next.patch, {})
          if (delta !== undefined) answers.push(exchange.encode(delta))
          answers.push(exchange.encode(exchange.server.answer(next.n, outcome)))
        }
      }
    }
    requests = answers.flatMap((text) => {
      bytes += text.length
      const message = exchange.decodeServer(text)
      if (message._tag === "Malformed") throw new Error(message.message)
      return exchange.client.receive(follower, message, time)
    })
  }
  return { bytes, trips }
}

export const mergeDiff: Case = {
  name: "merge-diff",
  about: "10 differences at each side of a pool of 100,000 rows to its whole state",
  run: async (bench) => {
    const total = bench.quick ? 20_000 : 100_000
    const state = makeState(definition)
    mergeAll(state, rowsOf(0, total, 0))
    const hub = makeHub(state, { epoch: "one", accepts: "all", maxDeltas: 0 })
    const own = makeState(definition)
    mergeAll(own, rowsOf(0, total, 0))
    const follower = makeFollower(makeReplica(clientOfBits(1n), own))
    const found: Array<ReturnType<typeof meet>> = []
    const whole: Array<ReturnType<typeof meet>> = []
    let version = 0
    const differ = (): void => {
      version++
      for (const [{ state, tree }, first] of [
        [hub.hashed, 100],
        [follower.hashed, 5_000]
      ] as const) {
        const patch = {
          horizon: noStamp,
          rows: Array.from({ length: 10 }, (_, n) => row(first + n * 777, version))
        }
        const outcome = merge(state, patch)
        if (outcome._tag === "Refused") throw new Error(outcome.message)
        noteChanges(tree, outcome.changes)
      }
    }
    const samples = await interleave(
      { rounds: Math.ceil(bench.pairs / 3), warmUps: 2 },
      {
        tree: async () => {
          differ()
          follower.epoch = undefined
          const start = performance.now()
          found.push(meet(hub, follower))
          return performance.now() - start
        },
        whole: async () => {
          const empty = makeFollower(makeReplica(clientOfBits(2n), makeState(definition)))
          const start = performance.now()
          whole.push(meet(hub, empty))
          return performance.now() - start
        },
        build: async () => {
          const start = performance.now()
          rootSum(hashState(state).tree)
          return performance.now() - start
        }
      }
    )
    const full = JSON.stringify(statePatch(state)).length
    bench.figure("a client without rows takes the whole state", samples.whole, "ms")
    bench.figure("the hash tree is built anew", samples.build, "ms")
    bench.note(`requests: ${found.at(-1)?.trips.join(", ")}; ${found.at(-1)?.bytes} bytes of ${full}`)
    bench.limit(
      "round trips",
      found.map(({ trips }) => trips.length),
      "",
      { atMost: 4 }
    )
    bench.limit(
      "bytes, in percent of the whole state",
      found.map(({ bytes }) => (100 * bytes) / full),
      " %",
      {
        atMost: bench.quick ? 2.5 : 0.5
      }
    )
    bench.ratio("the time of 10 differences to that of the whole state", samples.tree, samples.whole, {
      atMost: bench.quick ? 0.25 : 0.05
    })
  }
}
