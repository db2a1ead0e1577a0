/** Guards of the exclusive owners in databases. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("owner")

const ofOwners = (name: string): readonly [test: string, title: string] => ["sql/owner/owners", name]
const ofLocks = (name: string): readonly [test: string, title: string] => ["sql/owner/sessionLocks", name]

export const sqlOwnerMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "compare no token before a save",
    "sql/internal/owner/statements",
    ["...isOwners(of, by), fence)", "' WHERE \"name\" = ', whose(of), fence)"],
    ofOwners("is taken over when its lease has run out, and saves nothing from then on")
  ),
  guard(
    "keep nothing from taking over while a save is under way",
    "sql/internal/owner/statements",
    ['fence: " FOR KEY SHARE"', 'fence: ""'],
    ofOwners("is not taken over while it saves: the save is there before, and no other comes after")
  ),
  guard(
    "write a lease by the clock of the process",
    "sql/internal/owner/owners",
    [
      "statements.take(claim, generation, isLocked)",
      "statements.take({ ...claim, lease: claim.lease + (yield* Effect.clock).unsafeCurrentTimeMillis() - Date.now() }, generation, isLocked)"
    ],
    ofOwners("goes by the clock of the database: that of a process is set back by an hour")
  ),
  guard(
    "count on a lease by the wall clock",
    "sql/internal/owner/holding",
    [
      '=> holding.phase === "held" && monotonicMillis(clock) <',
      '=> holding.phase === "held" && clock.unsafeCurrentTimeMillis() <'
    ],
    ofOwners("goes by the clock of the database: that of a process is set forward by an hour")
  ),
  guard(
    "count on a lease until its very end",
    "sql/internal/owner/holding",
    ["sentAt + lease * (1 - margin)", "sentAt + lease"],
    ofOwners("does not count on a lease that it could not extend")
  ),
  guard(
    "take over without a new token",
    "sql/internal/owner/owners",
    ["token: randomName(random)", 'token: "token"'],
    ofOwners("is taken over when its lease has run out, and saves nothing from then on")
  ),
  guard(
    "release what another one owns",
    "sql/internal/owner/statements",
    [
      "        param(locked, false),\n        ...isOwners(of, by)\n",
      "        param(locked, false),\n        ' WHERE \"name\" = ',\n        whose(of)\n"
    ],
    ofOwners("that is taken over releases nothing of the one after it")
  ),
  guard(
    "extend the lease of another one",
    "sql/internal/owner/statements",
    [
      "        ...isOwners(claim.name, claim.token),\n        ` RETURNING",
      "        ' WHERE \"name\" = ',\n        whose(claim.name),\n        ` RETURNING"
    ],
    ofOwners("learns that it is lost when it extends its lease")
  ),
  guard(
    "judge the row before it is locked alone",
    "sql/internal/owner/owners",
    ["row === undefined || !(isFree(row) || (row.locked && isLocked))", "row === undefined"],
    ofOwners("is alone among many that begin at once")
  ),
  guard(
    "take over from an owner that shares the session",
    "sql/internal/pg/sessionLocks",
    [" || sessions.get(key) === listener) return undefined", ") return undefined"],
    ofLocks("is alone among those that share a doorbell")
  ),
  guard(
    "leave a lost session to the next extension",
    "sql/internal/owner/holding",
    [
      "(lock?.isHeld() === true ? lock.lost : locks?.changed) ?? Effect.never",
      "locks?.changed === undefined ? Effect.never : Effect.never"
    ],
    ofLocks("takes the lock of its next session, and is refused to others all the while")
  ),
  guard(
    "extend a lease again and again while the session is gone",
    "sql/internal/owner/holding",
    ["lock?.isHeld() === true ? lock.lost :", "lock !== undefined ? lock.lost :"],
    ofLocks("that loses the database too asks for it with pauses")
  )
].map((mutant): NamedMutant => ({ ...mutant, needs: "servers" }))
