/** Guards of pools as a server holds them: what is refused, what is seen, ticks, and what leaves. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("merge pool server")

const inside = (file: string): string => `internal/mergePool/${file}`
const rights = (title: string) => ["mergePool/rights", title] as const
const ticks = (title: string) => ["mergePool/ticks", title] as const
const life = (title: string) => ["mergePool/life", title] as const

const refused = rights("leaves state, clock and hash as they were, whatever was wrong")
const quota = rights("of rows, bytes, merges, followers and pools refuses one more, and removals fit")
const hidden = rights("shows its cells only, and nothing of others in any reply")

export const mergePoolServerMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "open a pool in a catalog that was closed meanwhile",
    inside("poolOpening"),
    ['    if (shared.isClosed) end(pool, "Closed")\n', "    void shared\n"],
    life("leaves no pool open, wherever the close comes between")
  ),
  guard(
    "keep what a quota refuses",
    inside("poolJudging"),
    ["    takeBack(state, changes, latest)\n", ""],
    quota
  ),
  guard(
    "merge what another client has written",
    inside("poolJudging"),
    ["    owner: as?.client,\n", "    owner: undefined,\n"],
    refused
  ),
  guard(
    "merge whatever the server's time is",
    inside("poolJudging"),
    ["    now,\n    ...(as", "    now: undefined,\n    ...(as"],
    refused
  ),
  guard(
    "take a key that the log refuses",
    inside("poolJudging"),
    ["judgeKeys(changes) ?? judgeRights", "judgeRights"],
    refused
  ),
  guard(
    "let a principal use the client's id of another one",
    inside("poolJudging"),
    ["owner === undefined || owner === as?.principal", "owner !== null"],
    rights("takes the client's id of another principal, or other strategies")
  ),
  guard(
    "merge by other strategies",
    inside("poolJudging"),
    ["fingerprint !== undefined && fingerprint !== own", "fingerprint === null"],
    rights("takes the client's id of another principal, or other strategies")
  ),
  guard(
    "write cells that may not be seen",
    inside("poolJudging"),
    ["before === undefined || view === undefined || view(before)", "before !== null"],
    hidden
  ),
  guard(
    "hash for a principal that sees a part",
    inside("poolReading"),
    ["readable(pool, options.as) === undefined\n", "readable(pool, options.as) !== null\n"],
    hidden
  ),
  guard(
    "show the state whole",
    inside("poolReading"),
    ["if (mayRead === undefined) return statePatch", "if (mayRead !== null) return statePatch"],
    hidden
  ),
  guard(
    "append each merge at once",
    inside("ticker"),
    ["if (ticker.timer === undefined && ticker.hasPending())", "if (ticker.hasPending())"],
    ticks("makes one revision and one delta for each member of 10,000 merges")
  ),
  guard(
    "end a pool without its last value",
    inside("ticker"),
    ["timers.cancel(timer)\n  flush()", "timers.cancel(timer)\n  void flush"],
    ticks("comes within a tick before a pool that is ended")
  ),
  guard(
    "end with the tick that had a change",
    inside("ticker"),
    ["    if (ticker.hasPending()) begin(ticker)\n  }", "  }"],
    ticks("comes to a member that resumes within the tick")
  ),
  guard(
    "make one revision of a tick of any size",
    inside("ticking"),
    [
      "if (i > first && bytes + more > maxRevisionBytes)",
      "if (i < first && bytes + more > maxRevisionBytes)"
    ],
    ticks("of more than 1 MiB makes several revisions, which hold all of it")
  ),
  guard(
    "measure a cell as larger than the log",
    inside("ticking"),
    [
      "Math.min(estimateSize(change), maxRevisionBytes)",
      "estimateSize(change) * (maxRevisionBytes > 0 ? 3 : 1)"
    ],
    ticks("delivers what is larger than its log, one cell for each revision")
  ),
  guard(
    "remove what others have written since",
    inside("poolMerging"),
    ["leaving.bySession.get(before)?.delete(key)", "leaving.bySession.get(before)?.has(key)"],
    life("is removed with its session, but for what others have written since")
  ),
  guard(
    "let a client leave rows without a session",
    inside("poolJudging"),
    ["session === undefined ? leaving === undefined || as === undefined", "session === undefined ? true"],
    life("is removed with its session, but for what others have written since")
  ),
  guard(
    "hold a pool that has ended for its sessions",
    inside("poolRuntime"),
    ["shared.leaveSession(session, pool)\n", "shared.isSession(session, undefined)\n"],
    life("holds no pool that has ended, and removes nothing then")
  ),
  guard(
    "keep all that waits for a slow member",
    inside("poolHandle"),
    ['policy: "conflate"', 'policy: "resync"'],
    ticks("gets the last form of each cell, and no more waits for it than there are cells")
  ),
  guard(
    "read what is more than a patch may hold",
    inside("poolJudging"),
    ["    ...(as !== undefined && { maxCells }),\n", ""],
    ["mergePool/hostile", "is refused a merge of a million cells at once, and what others wrote stays"]
  ),
  guard(
    "keep the changes of what is gone",
    inside("pool"),
    ["  if (forgetting !== undefined) shared.inBackground(forgetting)\n", ""],
    life("are kept for an hour: a member resumes after them, and begins with a snapshot later")
  ),
  guard(
    "keep for an hour that many rows were forgotten",
    inside("ticking"),
    ["forgotten > maxForgotten", "forgotten < 0 * maxForgotten"],
    life("is kept for an hour, unless it is much and nothing else is kept")
  ),
  guard(
    "lose what was written with what was forgotten",
    inside("ticking"),
    ["floor >= written && forgotten", "floor >= Math.min(0, written) && forgotten"],
    life("is kept for an hour, unless it is much and nothing else is kept")
  ),
  guard(
    "forget changes within the hour",
    inside("ticking"),
    ["marks[0].millis <= until", "marks[0].millis <= now"],
    life("are kept for an hour: a member resumes after them, and begins with a snapshot later")
  ),
  guard(
    "remember removals for ever",
    inside("pool"),
    [
      "const isDue = removalsSince !== undefined && until > removalsSince && canForget",
      "const isDue = until > Number.POSITIVE_INFINITY && canForget"
    ],
    life("is forgotten after an hour, with its keys, and nothing older comes back")
  ),
  guard(
    "live on by a merge that is refused",
    inside("poolMerging"),
    [
      "  const delta = mergeNow(pool, patch, options)\n",
      "  Lifetime.use(pool, now)\n  const delta = mergeNow(pool, patch, options)\n"
    ],
    life("with sliding expiry lives on by merges and touch, and not by those that are refused")
  )
]
