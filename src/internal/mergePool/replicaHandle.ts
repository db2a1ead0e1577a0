/** A replica of a pool as programs hold it: it edits at once, also without a server, and keeps what was not sent yet. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Rules from "../options.js"
import { steady } from "../time.js"
import { define, type Fields } from "./definition.js"
import type { Edit } from "./edits.js"
import { newClient } from "./newClient.js"
import type { Patch, Refused } from "./patch.js"
import { MergeError, mergeError } from "./poolErrors.js"
import * as Core from "./replica.js"
import { isClient } from "./stamp.js"
import { makeState, statePatch } from "./state.js"
import type { FieldEdit } from "./strategy.js"
import type { Replica } from "./typed.js"

/** Options of a replica; each has a default. */
export interface ReplicaOptions {
  /** 64 random bits as 11 characters, new for each start of a program. Default: such ones. */
  readonly client?: string | undefined
  /** The most edits that wait to be confirmed; more are refused as `QuotaExceeded`. Default 10,000. */
  readonly maxUnsent?: number | undefined
}

/** What one client has of a pool: what it has received, and what it has edited since. */
export interface ReplicaHandle {
  /** The client id in its stamps: the `client` of its merges. */
  readonly client: string
  /** Differs between replicas that do not join alike. */
  readonly fingerprint: string
  /** Edits fields of a row at once; they get one stamp. Returns the edit, which waits in `unsent`. */
  readonly edit: (
    key: string,
    fields: { readonly [name: string]: FieldEdit | undefined }
  ) => Effect.Effect<Core.Unsent, MergeError>
  /** Removes a row: all its fields are reset, seen or not. */
  readonly remove: (key: string) => Effect.Effect<Core.Unsent, MergeError>
  /** Reads a row with what was edited here; none if there is none. */
  readonly get: (key: string) => Effect.Effect<Option.Option<ReadonlyMap<string, unknown>>>
  /** Reads all rows. */
  readonly rows: Effect.Effect<ReadonlyMap<string, ReadonlyMap<string, unknown>>>
  /** The edits that are not confirmed, in order: send their patches, also again. */
  readonly unsent: Effect.Effect<ReadonlyArray<Core.Unsent>>
  /** Confirms the edits up to a number: they are sent no more. */
  readonly confirm: (upTo: number) => Effect.Effect<void>
  /**
   * Merges what a server or another replica has sent, and adopts its horizon. Returns the edits that have become too old to
   * be sent, in order: they are not shown any more, and the user decides on them.
   */
  readonly receive: (patch: Patch) => Effect.Effect<ReadonlyArray<Core.Unsent>, MergeError>
  /** Takes the whole state of a server instead of what was received. Returns as `receive` does. */
  readonly takeState: (patch: Patch) => Effect.Effect<ReadonlyArray<Core.Unsent>, MergeError>
  /** Stamps what is not confirmed anew, in order, by the server's time: after `ClockAhead`, or when that is first known. */
  readonly stampAnew: (serverTime: number) => Effect.Effect<ReadonlyArray<Core.Unsent>>
  /** All that is held and was edited, as a patch for another replica. */
  readonly state: Effect.Effect<Patch>
}

const rules = {
  client: Rules.optional(Rules.that("a client id of 11 characters", isClient)),
  maxUnsent: Rules.or(Rules.whole(1), 10_000)
}

const outcome = <A extends object>(made: A | Refused): Effect.Effect<A, MergeError> =>
  "_tag" in made && made._tag === "Refused" ? Effect.fail(mergeError(made)) : Effect.succeed(made as A)

const fullQueue = (limit: number): MergeError =>
  new MergeError({
    reason: "QuotaExceeded",
    message: `${limit} edits wait to be confirmed: send them, and confirm what has arrived`,
    quota: { name: "maxUnsent", limit }
  })

const handleOf = (core: Core.Replica, wall: () => number, maxUnsent: number): ReplicaHandle => {
  const make = (edit: Edit) =>
    Effect.suspend(() =>
      core.unsent.length >= maxUnsent
        ? Effect.fail(fullQueue(maxUnsent))
        : outcome(Core.makeEdit(core, edit, wall()))
    )
  return {
    client: core.clock.client,
    fingerprint: core.confirmed.definition.fingerprint,
    edit: (key, fields) => make({ _tag: "Row", key, fields }),
    remove: (key) => make({ _tag: "Remove", key }),
    get: (key) => Effect.sync(() => Option.fromNullable(Core.readRow(core, key))),
    rows: Effect.sync(() => Core.readAll(core)),
    unsent: Effect.sync(() => core.unsent),
    confirm: (upTo) => Effect.sync(() => void Core.confirm(core, upTo)),
    receive: (patch) =>
      Effect.suspend(() =>
        Effect.map(outcome(Core.receive(core, patch)), () => Core.adoptHorizon(core, patch.horizon).tooOld)
      ),
    takeState: (patch) => Effect.suspend(() => outcome(Core.takeState(core, patch))),
    stampAnew: (serverTime) => Effect.sync(() => Core.stampAnew(core, serverTime, wall())),
    state: Effect.sync(() => {
      const { horizon, rows } = statePatch(core.confirmed)
      return { horizon, rows: [...rows, ...core.unsent.flatMap(({ patch }) => patch.rows)] }
    })
  }
}

/** Makes a replica that holds nothing. Strategies that cannot be are refused as `InvalidOptions`. */
export const replica = <F extends Fields>(
  strategies: F,
  options: ReplicaOptions = {}
): Effect.Effect<Replica<F>, Rules.InvalidOptions> =>
  Effect.gen(function* () {
    const { client, maxUnsent } = yield* Rules.resolve<ReplicaOptions>()(rules, options)
    const definition = define(strategies)
    if ("_tag" in definition) {
      const message = `cannot be: ${definition.message}`
      return yield* new Rules.InvalidOptions({ option: "strategies", message })
    }
    const clock = steady(yield* Effect.clock)
    const core = Core.makeReplica(client ?? newClient(), makeState(definition))
    const handle = handleOf(core, () => clock.unsafeCurrentTimeMillis(), maxUnsent)
    // It is joined by these strategies, so they read its values.
    return handle as Replica<F>
  })
