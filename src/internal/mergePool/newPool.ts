/** Makes one life of a pool, wherever its cells are kept. */
import { Effect, type Scope } from "effect"
import type { ChangeLog } from "../../ChangeLog.js"
import * as Following from "../catalog/following.js"
import type { Lifetime } from "../catalog/lifetime.js"
import * as Policy from "../catalog/policy.js"
import { makeClock } from "./clock.js"
import { makeLeaving } from "./leavingRows.js"
import { newClient } from "./newClient.js"
import { end, type Flow, type Pool, type SharedParts } from "./pool.js"
import type { PoolCell } from "./poolCells.js"
import type { Runtime } from "./poolRuntime.js"
import type { Named } from "./poolSettings.js"
import type { State } from "./state.js"

/** What revisions of a pool call. */
interface OnRevisions {
  readonly onRevision: (seq: number) => void
  readonly onFailed: (cause: unknown) => void
}

/** What a pool is made of. */
export interface PoolParts extends Pick<Pool, "epoch" | "lifetime" | "release"> {
  readonly state: State
  /** What followers read. */
  readonly log: ChangeLog<PoolCell>
  readonly lifetime: Lifetime | undefined
  readonly flow: (
    pool: () => Pool,
    on: OnRevisions
  ) => { readonly flow: Flow; readonly parts?: SharedParts | undefined }
}

/** Makes a pool. Its time has not begun. */
export const makePool = (
  { settings, shared }: Runtime,
  { id, kind, onLeave }: Named,
  { epoch, flow: flowOf, lifetime, log, release, state }: PoolParts
): Effect.Effect<Pool, never, Scope.Scope> =>
  Effect.map(Following.make(log, `${settings.name}/${id}`, settings.closeDeadline), (following) => {
    const marks = Policy.makeMarks()
    const { flow, parts } = flowOf(() => pool, {
      onRevision: (seq) => Policy.mark(marks, shared.policy.count(), seq),
      onFailed: (cause) => {
        end(pool, "Failed", cause)
      }
    })
    const pool: Pool = {
      id,
      kind,
      epoch,
      life: { store: undefined, ended: undefined },
      shared,
      state,
      clock: makeClock(newClient(), state.latest),
      flow,
      parts,
      following,
      marks,
      owners: new Map(),
      leaving: onLeave === "remove" ? makeLeaving() : undefined,
      members: new Set(),
      hashed: undefined,
      bytes: 0,
      removalsSince: undefined,
      lifetime,
      expiry: undefined,
      usedAt: shared.timers.now(),
      ended: undefined,
      pending: 0,
      release
    }
    pool.life.store = pool
    return pool
  })
