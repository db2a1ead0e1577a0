/** The writing calls of a store: what callers give is checked, copied and frozen, then accepted. */
import { Effect, Either, Option, type PubSub } from "effect"
import { StorageError } from "../../Storage.js"
import type { OperationId } from "../catalog/backend.js"
import * as Slot from "../catalog/slot.js"
import { fingerprint } from "../hash.js"
import { validateRecord } from "../options.js"
import { type Accepted, accept, logProblem, type Request } from "./accept.js"
import {
  none,
  type OperationAs,
  readBatch,
  readStep,
  type StepOptions,
  type WriteOptions,
  type Written
} from "./callOptions.js"
import { ownSteps } from "./check.js"
import type { Codec } from "./data.js"
import { type StoreEnded, WriteError } from "./errors.js"
import { maxRevisionBytes, sizeProblem } from "./holding.js"
import { isRefused, type Operation, type Owned, type Row, type Step } from "./operation.js"
import type { Done } from "./reply.js"
import { handBack, type Runtime } from "./runtime.js"
import * as Shared from "./sharedStore.js"
import type { Store } from "./store.js"
import { limitsOf } from "./temporary.js"

/** Fields of a record that a patch sets and removes. */
export interface PatchFields<out A> {
  readonly set?: Partial<A> | undefined
  readonly unset?: ReadonlyArray<string> | undefined
}

/** A record that was removed, and the revision that removed it. */
export interface Removed {
  readonly key: string
  readonly seq: number
}

/** What a batch has done. */
export interface Batched<out A> {
  /** The number of its revision; if it changed nothing, that of the store. */
  readonly revision: number
  /** For each step the record that it wrote; none for one that removes. */
  readonly rows: ReadonlyArray<Option.Option<Row<A>>>
}

/** An operation without a waiting caller, and what it failed with. */
export interface Failure {
  readonly operation: Operation<unknown>
  readonly error: WriteError | StoreEnded
}

/** What the writing calls of a handle need. */
export interface Writing<A> {
  readonly runtime: Runtime
  readonly slot: Slot.Slot<Store>
  readonly primary: string
  readonly codec: Codec<A>
  readonly failures: PubSub.PubSub<Failure>
}

const refuse = (message: string): WriteError => new WriteError({ reason: "InvalidOperation", message })

/** Encodes what a step writes. A patch is checked by what it comes to. */
const encodeStep = <A>(
  step: Step<A>,
  { encode, encodePart }: Codec<A>
): Either.Either<Step<unknown>, string> => {
  // Callers may pass anything; what is no step is refused by the check.
  switch (step?._tag) {
    case "Set":
      return Either.map(encode(step.data), (data) => ({ ...step, data }))
    case "Patch": {
      if (step.set === undefined || step.set === null) return Either.right(step)
      return Either.map(encodePart(step.set), (set) => ({ ...step, set: set as object }))
    }
    default:
      return Either.right(step)
  }
}

/** Encodes what steps write. */
const encodeSteps = <A>(
  steps: ReadonlyArray<Step<A>>,
  codec: Codec<A>
): ReadonlyArray<Step<unknown>> | WriteError => {
  // Without a schema, or for what is no step, there is nothing to encode.
  if (codec.problem === undefined || !Array.isArray(steps)) return steps
  const encoded: Array<Step<unknown>> = []
  for (const [index, step] of (steps as ReadonlyArray<Step<A>>).entries()) {
    const one = encodeStep(step, codec)
    if (Either.isLeft(one)) {
      return new WriteError({ reason: "InvalidData", message: one.left, step: index })
    }
    encoded.push(one.right)
  }
  return encoded
}

/** Names an operation by its client, under the principal: no other principal can use its numbers. */
const idOf = (
  { client, n, principal }: OperationAs,
  steps: Owned["steps"],
  ttl: number | undefined,
  session: string | undefined
): OperationId | undefined | WriteError => {
  if (n === undefined) return undefined
  if (client === undefined) return refuse("an operation with a number needs the client that has counted it")
  if (!Number.isSafeInteger(n) || n < 1)
    return refuse("the number of an operation must be whole, from 1 to 2^53 - 1")
  const content = fingerprint(JSON.stringify([steps, ttl ?? null, session ?? null]))
  return { client: `${principal.length}:${principal}${client}`, n, principal, content }
}

/** Makes the request of steps, or returns why it cannot be. */
export const requestOf = <A>(
  { codec, primary }: Pick<Writing<A>, "primary" | "codec">,
  steps: ReadonlyArray<Step<A>>,
  { as, session, ttl }: Written
): Request | WriteError => {
  const encoded = encodeSteps(steps, codec)
  if (encoded instanceof WriteError) return encoded
  const owned = ownSteps(encoded, limitsOf(primary))
  if (isRefused(owned)) return new WriteError(owned)
  const large = sizeProblem(owned.bytes, owned.steps.length, maxRevisionBytes)
  if (large !== undefined) return new WriteError(logProblem(large))
  const id = as && idOf(as, owned.steps, ttl, session)
  if (id instanceof WriteError) return id
  return { owned, ttl, session, as, id }
}

/** Begins a request on a store, in this turn, and calls back with its outcome: of a store in memory at once. */
const begin = (runtime: Runtime, store: Store, request: Request, done: (answer: Accepted) => void): void => {
  if (store.parts === undefined) done(accept(store, request))
  else Shared.begin(runtime, store, store.parts, request, done)
}

const tooMany = new WriteError({
  reason: "Unavailable",
  message: "too many writes wait for the store to be loaded: try again later"
})

/** Begins a request on the store of a handle, behind those that wait for it to be loaded. */
const beginOn = <A>(
  { runtime, slot }: Writing<A>,
  request: Request,
  done: (answer: Accepted) => void
): void => {
  const isTaken = Slot.whenThere(slot, (there) => {
    if (Either.isLeft(there)) done(there.left)
    else begin(runtime, there.right, request, done)
  })
  if (!isTaken) done(tooMany)
}

/** The store, if an operation on it is judged, and answered, in this turn. */
const atOnce = <A>({ slot }: Writing<A>): Store | undefined => {
  const store = Slot.present(slot)
  return store?.parts === undefined ? store : undefined
}

/** Applies steps, and waits for the outcome as the store's `ack` has it. */
export const write = <A>(
  writing: Writing<A>,
  options: Written | WriteError,
  stepsOf: (options: Written) => ReadonlyArray<Step<A>>
): Effect.Effect<Done, WriteError | StoreEnded> =>
  Effect.suspend(() => {
    if (options instanceof WriteError) return Effect.fail(options)
    const request = requestOf(writing, stepsOf(options), options)
    if (request instanceof WriteError) return Effect.fail(request)
    const store = request.session === undefined ? atOnce(writing) : undefined
    return store === undefined ? writeLater(writing, request) : answered(accept(store, request))
  })

const answered = (answer: Accepted): Effect.Effect<Done, WriteError | StoreEnded> =>
  answer._tag === "Done" ? Effect.succeed(answer) : Effect.fail(answer)

/** Writes to a store that is loaded first, or that a backend decides. */
const writeLater = <A>(writing: Writing<A>, request: Request): Effect.Effect<Done, WriteError | StoreEnded> =>
  Effect.gen(function* () {
    const { runtime, slot } = writing
    const { as, session } = request
    // One that is not open is refused later, and gets no lease.
    const isOpen = session !== undefined && runtime.shared.isSession(session, as)
    // One that is loaded first is permanent, too.
    if (isOpen && Slot.present(slot)?.lifetime === undefined) yield* runtime.leasing.ensure(session)
    return yield* Effect.async<Done, WriteError | StoreEnded>((resume) =>
      beginOn(writing, request, (answer) => resume(answered(answer)))
    )
  })

const notStored = (error: WriteError | StoreEnded): StorageError | undefined => {
  if (error._tag === "WriteError" && error.reason !== "NotStored") return undefined
  if (error.cause instanceof StorageError) return error.cause
  const { message } = error
  return new StorageError({ kind: "Fatal", outcome: "NotStored", message, cause: error })
}

/** Reports what an operation failed with that no caller waits for. One that was not stored is handed back, too. */
const reportFailure = <A>(
  { failures, runtime, slot }: Writing<A>,
  steps: Owned["steps"],
  error: WriteError | StoreEnded
): void => {
  failures.unsafeOffer({ operation: { steps }, error })
  const cause = notStored(error)
  if (cause !== undefined) handBack(runtime, { store: slot.id, steps, error: cause })
}

/** Applies a step without waiting; `false`: it is refused. What it fails with later is reported. */
export const unsafeWrite = <A>(writing: Writing<A>, step: Step<A>): boolean => {
  const request = requestOf(writing, [step], none)
  if (request instanceof WriteError) return false
  const store = atOnce(writing)
  return store === undefined ? writeUnawaited(writing, request) : accept(store, request)._tag === "Done"
}

/** As {@link writeLater}, for a caller that does not wait. */
const writeUnawaited = <A>(writing: Writing<A>, request: Request): boolean => {
  let wasRefused = false
  let isLater = false
  beginOn(writing, request, (answer) => {
    if (answer._tag === "Done") return
    if (!isLater) wasRefused = true
    else reportFailure(writing, request.owned.steps, answer)
  })
  isLater = true
  return !wasRefused
}

const rowOf = <A>({ codec }: Writing<A>, { rows }: Done): Row<A> =>
  // A step that sets has written one.
  codec.row(rows[0]!)

export const set = <A>(writing: Writing<A>, data: A, options: StepOptions | undefined) =>
  Effect.map(
    write(writing, readStep(options), ({ expect }) => [{ _tag: "Set", data, expect }]),
    (done) => rowOf(writing, done)
  )

const notShown = (key: string): WriteError =>
  new WriteError({
    reason: "Forbidden",
    message: "the operation was applied before, and the principal may not see its record any more",
    step: 0,
    key
  })

/** What is no record of fields would patch nothing, unnoticed. */
const fieldsProblem = (fields: unknown): WriteError | undefined =>
  validateRecord("fields", fields) && refuse("the fields of a patch must be { set?, unset? }")

export const patch = <A>(
  writing: Writing<A>,
  key: string,
  fields: PatchFields<A>,
  options: StepOptions | undefined
) =>
  Effect.flatMap(
    write(writing, fieldsProblem(fields) ?? readStep(options), ({ expect }) => [
      { _tag: "Patch", key, ...fields, expect }
    ]),
    ({ rows: [row] }) => (row === undefined ? notShown(key) : Effect.succeed(writing.codec.row(row)))
  )

export const remove = <A>(writing: Writing<A>, key: string, options: StepOptions | undefined) =>
  Effect.map(
    write(writing, readStep(options), ({ expect }) => [{ _tag: "Delete", key, expect }]),
    ({ changed, revision }): Option.Option<Removed> =>
      changed ? Option.some({ key, seq: revision }) : Option.none()
  )

export const batch = <A>(
  writing: Writing<A>,
  steps: ReadonlyArray<Step<A>>,
  options: WriteOptions | undefined
) =>
  Effect.map(
    write(writing, readBatch(options), () => steps),
    ({ revision, rows }): Batched<A> => ({
      revision,
      rows: rows.map((row) => Option.map(Option.fromNullable(row), writing.codec.row))
    })
  )
