/** Clients that outlive the process of their pool: what they were not shown as committed they send again. */
import { Effect } from "effect"
import { merge } from "../../../src/internal/mergePool/merging.js"
import type { Patch } from "../../../src/internal/mergePool/patch.js"
import { patchOf } from "../../../src/internal/mergePool/poolCells.js"
import { makeState, type State, stateText } from "../../../src/internal/mergePool/state.js"
import * as MergePool from "../../../src/MergePool.js"
import type { Ack, Merge } from "../../faults/processes/poolChild.js"
import type { Child } from "../processes/childProcess.js"
import { holdsAll, stateOfPatch, take } from "./convergence.js"
import { defined } from "./pools.js"
import { strategies } from "./served.js"

export const definition = defined(strategies)

/** One client of a pool. */
export interface Client {
  readonly ack: Ack
  readonly replica: MergePool.ReplicaHandle
  /** What it has ever written, and what of it was acknowledged. */
  readonly written: Array<Patch>
  readonly acknowledged: Array<Patch>
  edits: number
}

export const makeClient = (ack: Ack): Effect.Effect<Client, MergePool.InvalidOptions> =>
  Effect.map(MergePool.replica(strategies), (replica) => ({
    ack,
    replica,
    written: [],
    acknowledged: [],
    edits: 0
  }))

const send = (child: Child, { ack, replica }: Client, n: number, patch: Patch): void =>
  child.write(`merge ${ack} ${n} ${JSON.stringify({ client: replica.client, patch } satisfies Merge)}`)

/** What the client does next: votes, labels and titles of a few rows, and now and then a removal. */
const next = ({ edits, replica }: Client) => {
  const key = `row ${edits % 7}`
  if (edits % 11 === 10) return replica.remove(key)
  return replica.edit(key, {
    title: { _tag: "Set", value: `${replica.client} ${edits}` },
    votes: { _tag: "Increment", by: 1 },
    labels: { _tag: "Add", members: [`${edits % 3}`] }
  })
}

const answersOf = ({ lines }: Child, { ack, replica }: Client, n: number): string | undefined =>
  lines.find((line) => {
    const [word, pool, client, number] = line.split(" ", 4)
    return (
      (word === "merged" || word === "failed") &&
      pool === ack &&
      client === replica.client &&
      number === `${n}`
    )
  })

/** Sends a patch until it is merged. Fails if the process ends first. */
const sendUntilMerged = (child: Child, client: Client, patch: Patch): Effect.Effect<void, Error> =>
  Effect.gen(function* () {
    const n = ++client.edits
    send(child, client, n, patch)
    yield* Effect.raceFirst(
      child.said(`merged ${client.ack} ${client.replica.client} ${n}`),
      child.said(`failed ${client.ack} ${client.replica.client} ${n}`)
    )
    if (answersOf(child, client, n)?.startsWith("failed") === true)
      yield* sendUntilMerged(child, client, patch)
  })

/** Makes an edit, and sends it until it is merged. */
export const editOnce = (child: Child, client: Client) =>
  Effect.gen(function* () {
    const { patch } = yield* next(client)
    client.written.push(patch)
    yield* sendUntilMerged(child, client, patch)
    client.acknowledged.push(patch)
  })

/** What the followers of a process were shown of a pool. */
export const shownBy = ({ lines }: Child, ack: Ack): State => {
  const state = makeState(definition)
  const beginning = `cells ${ack} `
  for (const line of lines) {
    if (!line.startsWith(beginning)) continue
    take(state, patchOf(JSON.parse(line.slice(beginning.length)) as ReadonlyArray<MergePool.PoolCell>))
  }
  return state
}

/** Takes what was shown, and confirms what is in it: that is committed. */
export const takeShown = (client: Client, shown: State, patch: Patch) =>
  Effect.gen(function* () {
    const { replica } = client
    for (const { n, patch } of yield* replica.unsent) {
      if (!holdsAll(shown, patch)) break
      yield* replica.confirm(n)
    }
    yield* replica.receive(patch)
  })

/** Sends again what is not confirmed. */
export const sendAgain = (child: Child, client: Client) =>
  Effect.flatMap(client.replica.unsent, (unsent) =>
    Effect.forEach(unsent, ({ patch }) => sendUntilMerged(child, client, patch), { discard: true })
  )

/** What a process answers of a pool. */
export const askState = (child: Child, ack: Ack) =>
  Effect.gen(function* () {
    const before = child.lines.filter((line) => line.startsWith(`state ${ack} `)).length
    child.write(`state ${ack}`)
    yield* child.said(`state ${ack} `, before + 1)
    const line = child.lines.filter((line) => line.startsWith(`state ${ack} `)).at(-1)!
    const [, , hash = ""] = line.split(" ", 3)
    const patch = JSON.parse(line.slice(`state ${ack} ${hash} `.length)) as Patch
    const state = stateOfPatch(definition, patch)
    return { hash, patch, state, text: stateText(state) }
  })

/** The parts of patches that a state does not hold. */
export const missingIn = (state: State, patches: ReadonlyArray<Patch>): ReadonlyArray<Patch> =>
  patches.filter((patch) => {
    const merged = merge(state, patch, { old: "take" })
    return merged._tag === "Refused" || merged.changes.length > 0
  })
