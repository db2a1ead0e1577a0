/** Two processes that converge over a pipe, whose connection is cut at every message, and one of which is killed. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { type Follower, type FollowerAction, makeFollower } from "../../src/internal/mergePool/follower.js"
import { makeReplica, readRow } from "../../src/internal/mergePool/replica.js"
import { clientOfBits } from "../../src/internal/mergePool/stamp.js"
import { makeState, stateText } from "../../src/internal/mergePool/state.js"
import { definition, start, vote } from "../mergePool/pools.js"
import { exchange } from "../support/mergePool/exchangeParts.js"
import { bundled } from "../support/processes/bundled.js"
import { type Child, startChild } from "../support/processes/childProcess.js"
import type { HubSetting } from "./processes/hubChild.js"

// Hooks of vitest are in promises.
const scope = Effect.runSync(Scope.make())
let script: string
beforeAll(async () => {
  script = await Effect.runPromise(Scope.extend(bundled("test/faults/processes/hubChild.ts"), scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const startHub = (file: string, setting: HubSetting) =>
  Effect.tap(startChild(file, JSON.stringify(setting), "pipe"), (child) => child.said("ready"))

const makeClient = (): Follower => makeFollower(makeReplica(clientOfBits(1n), makeState(definition)))

const editVotes = (follower: Follower): void => {
  const actions = exchange.client.edit(follower, vote("votes"), start)
  if ("_tag" in actions) throw new Error(actions.message)
}

/**
 * Runs one connection until so many messages have passed, both ways, or all is done. What is sent after that is lost, and
 * what the other process still sends is not read. Returns how many there were.
 */
const converse = (child: Child, follower: Follower, number: number, cutAfter: number) =>
  Effect.gen(function* () {
    let count = 0
    const perform = (actions: ReadonlyArray<FollowerAction>): void => {
      for (const action of actions) {
        if (action._tag === "Ended") throw new Error(action.message)
        if (action._tag !== "Send") continue
        if (count++ < cutAfter) child.write(`${number} ${exchange.encode(action.message)}`)
      }
    }
    perform(exchange.client.connect(follower, start))
    const isDone = () => follower.phase === "live" && follower.replica.unsent.length === 0
    for (let seen = 0; count < cutAfter && !isDone(); ) {
      yield* child.said(`${number} `, seen + 1)
      const line = child.lines.filter((each) => each.startsWith(`${number} `))[seen++] as string
      if (++count > cutAfter) break
      const message = exchange.decodeServer(line.slice(line.indexOf(" ") + 1))
      if (message._tag === "Malformed") throw new Error(message.message)
      perform(exchange.client.receive(follower, message, start))
    }
    exchange.client.disconnect(follower)
    return count
  })

const stateOf = (child: Child) =>
  Effect.gen(function* () {
    child.write("state")
    yield* child.said("state ")
    return (child.lines.filter((line) => line.startsWith("state ")).at(-1) as string).slice("state ".length)
  })

const votesOf = (follower: Follower): unknown => readRow(follower.replica, "votes")?.get("votes")

const all = Number.POSITIVE_INFINITY

describe("two processes", () => {
  it.scopedLive.each<readonly [string, number]>([
    ["the changes", 1_000],
    ["the hash tree", 0]
  ])(
    "that meet by %s and are cut at every message hold the same, and lose and double nothing",
    ([, maxDeltas]) =>
      Effect.gen(function* () {
        const child = yield* startHub(script, { epoch: "one", rows: 300, maxDeltas })
        const follower = makeClient()
        let number = 1
        editVotes(follower)
        let most = yield* converse(child, follower, number, all)
        for (let cutAfter = 0; cutAfter <= most; cutAfter++) {
          editVotes(follower)
          yield* converse(child, follower, ++number, cutAfter)
          editVotes(follower)
          most = Math.max(most, yield* converse(child, follower, ++number, all))
          expect(votesOf(follower)).toBe(1 + 2 * (cutAfter + 1))
        }
        expect(most).toBeGreaterThan(5)
        // Its connection has begun with a change, which came to the client.
        expect(stateText(follower.replica.confirmed)).toBe(yield* stateOf(child))
      })
  )

  it.scopedLive("of which one is killed and begins anew hold what the other one has", () =>
    Effect.gen(function* () {
      const follower = makeClient()
      const first = yield* startHub(script, { epoch: "one", rows: 300, maxDeltas: 1_000 })
      editVotes(follower)
      yield* converse(first, follower, 1, all)
      editVotes(follower)
      yield* converse(first, follower, 2, 4)
      first.kill("SIGKILL")
      yield* first.ended
      editVotes(follower)
      const second = yield* startHub(script, { epoch: "two", rows: 0, maxDeltas: 1_000 })
      yield* converse(second, follower, 3, all)
      expect(votesOf(follower)).toBe(3)
      const text = yield* stateOf(second)
      expect(stateText(follower.replica.confirmed)).toBe(text)
      expect(text).toContain('"row 299"')
    })
  )
})
