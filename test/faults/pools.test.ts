/**
 * Pools whose process is killed under load: what was acknowledged as stored is there, and clients that live through it
 * converge, in both ways of acknowledging.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { hashState } from "../../src/internal/mergePool/hashedState.js"
import { rootSum } from "../../src/internal/mergePool/hashTree.js"
import { statePatch, stateText } from "../../src/internal/mergePool/state.js"
import { runs } from "../support/laws/laws.js"
import { stateOfPatch } from "../support/mergePool/convergence.js"
import {
  askState,
  type Client,
  definition,
  editOnce,
  makeClient,
  missingIn,
  sendAgain,
  shownBy,
  takeShown
} from "../support/mergePool/poolClients.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { ownSchema } from "../support/postgres/tables.js"
import { bundled } from "../support/processes/bundled.js"
import { type Child, startChild } from "../support/processes/childProcess.js"
import { tempFile } from "../support/sqlite/sqlite.js"
import type { Ack, PoolSetting } from "./processes/poolChild.js"

const acks: ReadonlyArray<Ack> = ["flushed", "memory"]

// Hooks of vitest are in promises.
const scope = Effect.runSync(Scope.make())
let script: string
beforeAll(async () => {
  script = await Effect.runPromise(Scope.extend(bundled("test/faults/processes/poolChild.ts"), scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/** The databases, and how often a process is killed on each. */
const databases = [
  ["SQLite", Effect.map(tempFile, (filename) => ({ filename })), runs(3)],
  ...databaseUrls()
    .slice(0, 1)
    .map(({ name, url }) => [name, Effect.map(ownSchema(url), (url) => ({ url })), runs(2)] as const)
] as const

const start = (at: Partial<PoolSetting>) =>
  Effect.gen(function* () {
    const setting: PoolSetting = { ...at, name: "pools", pools: acks, lease: 300 }
    const child = yield* startChild(script, JSON.stringify(setting), "pipe")
    yield* child.said("ready")
    return child
  })

/** Whether a process holds all that its former ones must have stored. */
const checkStored = (child: Child, clients: ReadonlyArray<Client>) =>
  Effect.forEach(acks, (ack) =>
    Effect.gen(function* () {
      const { hash, patch, state } = yield* askState(child, ack)
      expect(hash).toBe(rootSum(hashState(state).tree))
      const stored = clients.filter((client) => client.ack === ack && ack === "flushed")
      expect(
        missingIn(
          state,
          stored.flatMap(({ acknowledged }) => acknowledged)
        )
      ).toEqual([])
      return patch
    })
  )

/** What is answered in memory leaves time to what waits for commits. */
const editPaced = (child: Child, client: Client) =>
  Effect.gen(function* () {
    yield* editOnce(child, client)
    if (client.ack === "flushed" || client.edits % 5 > 0) return
    const frames = child.lines.filter((line) => line.startsWith("cells memory")).length
    yield* child.said("cells memory", frames + 1)
  })

/** Lets clients edit until the process is killed. Their last edits are known to it or not. */
const editUntilKilled = (child: Child, clients: ReadonlyArray<Client>, answers: number) =>
  Effect.gen(function* () {
    const editing = yield* Effect.forEach(clients, (client) =>
      Effect.fork(Effect.ignore(Effect.forever(editPaced(child, client))))
    )
    yield* child.said("merged flushed", answers)
    yield* child.said("merged memory", answers)
    child.kill("SIGKILL")
    yield* child.ended
    yield* Fiber.awaitAll(editing)
  })

describe.each(databases)("pools on %s", (_, database, times) => {
  it.scopedLive(
    "whose process is killed hold what was acknowledged as stored, and their clients converge",
    () =>
      Effect.gen(function* () {
        const at = yield* database
        const clients = yield* Effect.forEach([...acks, ...acks, ...acks], makeClient)
        let child = yield* start(at)
        for (let time = 0; time < times; time++) {
          yield* editUntilKilled(child, clients, 5 + Math.floor(Math.random() * 40))
          const shown = new Map(acks.map((ack) => [ack, shownBy(child, ack)]))
          child = yield* start(at)
          const states = yield* checkStored(child, clients)
          for (const [n, ack] of acks.entries()) {
            // What a follower was shown is stored.
            const state = stateOfPatch(definition, states[n]!)
            expect(missingIn(state, [statePatch(shown.get(ack)!)])).toEqual([])
            const mine = clients.filter((client) => client.ack === ack)
            yield* Effect.forEach(mine, (client) => takeShown(client, state, states[n]!))
            yield* Effect.forEach(mine, (client) => sendAgain(child, client), { concurrency: "unbounded" })
          }
        }
        for (const ack of acks) {
          const { patch, state, text } = yield* askState(child, ack)
          const mine = clients.filter((client) => client.ack === ack)
          expect(
            missingIn(
              state,
              mine.flatMap(({ written }) => written)
            )
          ).toEqual([])
          for (const client of mine) {
            yield* takeShown(client, state, patch)
            expect(yield* client.replica.unsent).toEqual([])
            expect(stateText(stateOfPatch(definition, yield* client.replica.state))).toBe(text)
          }
        }
        process.stdout.write(`${clients.map(({ written }) => written.length)} edits, ${times} times killed\n`)
      }),
    60_000 * times
  )
})
