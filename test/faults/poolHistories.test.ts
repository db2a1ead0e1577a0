/**
 * Clients of one pool in three processes on a real Postgres, while their sessions are killed and their connections cut: what
 * was acknowledged is there, and all processes hold the same.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import fc from "fast-check"
import { stateText } from "../../src/internal/mergePool/state.js"
import * as MergePool from "../../src/MergePool.js"
import * as SqlDatastore from "../../src/sql/SqlDatastore.js"
import { tcpProxy, throughProxy } from "../support/http/tcpProxy.js"
import { holdsSeeded, runs, seededTimeout } from "../support/laws/laws.js"
import { ensureHolds, joinOf } from "../support/mergePool/convergence.js"
import { askState, definition, editOnce, makeClient } from "../support/mergePool/poolClients.js"
import { strategies } from "../support/mergePool/served.js"
import { cutting, killing } from "../support/postgres/cutting.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { ownSchema } from "../support/postgres/tables.js"
import { bundled } from "../support/processes/bundled.js"
import { startChild } from "../support/processes/childProcess.js"
import type { PoolSetting } from "./processes/poolChild.js"

/** Of each of two clients of a process. */
const edits = Math.min(runs(5), 100)

const samples = fc.record({
  /** Connections are cut after so many chunks of bytes, one after the other. */
  cuts: fc.array(fc.integer({ min: 80, max: 250 }), { minLength: 20, maxLength: 20 }),
  /** All sessions are killed after so many more revisions. */
  kills: fc.array(fc.integer({ min: 4, max: 12 }), { minLength: 20, maxLength: 20 })
})

type Sample = typeof samples extends fc.Arbitrary<infer A> ? A : never

const opened = (url: string) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 3 }))
    const backend = yield* Effect.provide(SqlDatastore.make({ table: "kept", poll: "10 millis" }), context)
    const catalog = yield* MergePool.make(backend)
    return yield* catalog.open({ id: "flushed", kind: "permanent", strategies })
  })

const play = (server: string, script: string, { cuts, kills }: Sample) =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const name = `pools of ${new URL(url).searchParams}`.slice(0, 60)
    const mine = yield* opened(url)
    const started = yield* Effect.forEach(
      [0, 1, 2],
      () =>
        Effect.gen(function* () {
          const proxy = yield* tcpProxy(Number(new URL(url).port))
          const setting: PoolSetting = {
            url: throughProxy(url, proxy),
            name,
            pools: ["flushed"],
            lease: 10_000
          }
          const child = yield* startChild(script, JSON.stringify(setting), "pipe")
          yield* child.said("ready")
          const clients = yield* Effect.all([makeClient("flushed"), makeClient("flushed")])
          return { proxy, child, clients }
        }),
      { concurrency: "unbounded" }
    )
    const killed = yield* killing(url, name, mine.follow(), kills)
    const cut = cutting(
      cuts,
      started.map(({ proxy }) => proxy)
    )
    const all = started.flatMap(({ child, clients }) => clients.map((client) => ({ child, client })))
    yield* Effect.forEach(
      all,
      ({ child, client }) => Effect.replicateEffect(editOnce(child, client), edits, { discard: true }),
      { concurrency: "unbounded", discard: true }
    )
    cut.end()
    const state = joinOf(
      definition,
      all.flatMap(({ client }) => client.acknowledged)
    )
    yield* ensureHolds(mine, state, "the process whose connections were not cut")
    const hash = yield* mine.hash()
    for (const { child } of started) {
      const found = yield* askState(child, "flushed")
      expect(found.text).toBe(stateText(state))
      expect(found.hash).toBe(hash)
    }
    process.stdout.write(
      `${all.length * edits} edits, ${killed()} times killed, ${cut.count()} connections cut\n`
    )
  })

describe.each(databaseUrls().slice(0, 1))("clients of a pool in three processes, $name", ({ url }) => {
  it.scopedLive(
    "converge on all that they were answered, though sessions are killed and connections cut",
    () =>
      Effect.gen(function* () {
        const script = yield* bundled("test/faults/processes/poolChild.ts")
        yield* holdsSeeded(
          "pools in processes",
          samples,
          1,
          (sample) => Effect.runPromise(Effect.scoped(play(url, script, sample))),
          10
        )
      }),
    seededTimeout
  )
})
