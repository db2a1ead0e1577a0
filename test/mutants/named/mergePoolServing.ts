/** Guards of pools that serve exchanges: what a client is sent, when, and by which rights. */
import { guardsOf } from "./guard.js"

const guard = guardsOf("serving")

const inside = (file: string): string => `internal/mergePool/${file}`
const serving = (title: string) => ["mergePool/serving", title] as const

const sum = serving("is that of what the client was sent, also while edits come in every tick")
const part = serving("gets its cells only, loses those that it may see no more, and compares no sums")
const anew = serving(
  "begins anew with what it may see when its rights change, and gets no frame of older ones"
)
const ends = serving("ends with the pool, with the client's rights, and with what is no message")
const parts = serving("sends the whole state in parts of 512 rows and 64 KiB, read when they are taken")
const permanently = (title: string) => ["mergePool/servingPermanent", title] as const
const slow = serving(
  "costs nothing by a client that takes nothing: it waits with its requests, and gets all then"
)

export const mergePoolServingMutants = [
  guard(
    "refuse at once what is too early by a millisecond",
    inside("poolServing"),
    [
      "if (pauses === 0 || pause > maxPause) return error",
      "if (pause > 0 || pauses < maxPause) return error"
    ],
    ["mergePool/hostile", "stamps as far ahead as may be; others go on in a millisecond, and send no more"]
  ),
  guard(
    "answer merges as they are decided, in whatever order",
    inside("peer"),
    [
      "  for (let [first] = peer.replies; first?.actions !== undefined; [first] = peer.replies) {\n    peer.replies.shift()\n    answer(peer, first.actions)\n  }\n",
      "  peer.replies.splice(peer.replies.indexOf(place), 1)\n  answer(peer, actions)\n"
    ],
    permanently("answers the merges of a client in their order, whatever becomes of them")
  ),
  guard(
    "begin anew by a state that is older than the snapshot",
    inside("peer"),
    ["parts.reached.seq() < (at?.seq ?? 0)) return undefined", "parts.reached.seq() < -1) return undefined"],
    permanently("begins a client anew with what its snapshot has, when that was read")
  ),
  guard(
    "refuse an edit that may be stored",
    inside("poolServing"),
    ['reason === "NotStored" || reason === "Unavailable"', "reason === undefined"],
    permanently("leaves an edit with its client whose save has no known outcome")
  ),
  guard(
    "name the end of a pool by what has failed because of it",
    inside("poolServing"),
    ["const error = served.peer.pool.ended ?? failed", "const error = failed"],
    permanently("ends a client that begins while the pool ends as the pool has ended")
  ),
  guard(
    "go on by a cursor over what was lost",
    inside("poolPermanent"),
    ["lifeMark(runtime.process, runtime.shared.count.failed)", "runtime.shared.mark"],
    permanently("brings clients back to what was kept, when the process has ended before it was stored")
  ),
  guard(
    "judge the right to write before the turn of a merge only",
    inside("poolJudging"),
    ['  if (!actions.has("write")) return forbidden()\n', ""],
    [
      "mergePool/permanent",
      "judges the right to write in the turn of a merge, which may be revoked while it waits"
    ]
  ),
  guard(
    "wait for the commit of each merge before the next one",
    inside("poolServing"),
    ["if (peer.pool.parts === undefined) return merge(", "if (peer.replies.length < 1) return merge("],
    ["mergePool/permanent", "serves clients of an exchange in each process, which hold the same by its sum"]
  ),
  guard(
    "send the sum of what the log has not yet",
    inside("peer"),
    ["root.seq !== seq) return undefined", "root.seq < 0) return undefined"],
    sum
  ),
  guard(
    "make the sum within a tick",
    inside("ticking"),
    [
      "if (hasPending(ticking)) ticking.waiting.push(call)",
      "if (hasPending(ticking) && ticking.ticks < 0) ticking.waiting.push(call)"
    ],
    sum
  ),
  guard(
    "confirm before the sums are compared",
    inside("sending"),
    ['  if (phase !== "live") return flushEdits(follower)\n', ""],
    serving("may come before its change, and before a sum that it is no part of")
  ),
  guard(
    "name nothing that may be seen no more",
    inside("peer"),
    ["seesAll(peer) ? [] : goneOf(events)", "seesAll(peer) ? goneOf(events) : []"],
    part
  ),
  guard(
    "keep cells that may be seen no more",
    inside("adopting"),
    ["before.cells.map((cell, i) => (i === index ? undefined : cell))", "before.cells"],
    part
  ),
  guard(
    "show sums of what a client may not see",
    inside("peer"),
    ["hashed: () => (seesAll(peer) ? hashedOf(pool) : undefined)", "hashed: () => hashedOf(pool)"],
    part
  ),
  guard(
    "answer with rows as the server sees them",
    inside("poolReading"),
    ["if (mayRead === undefined) return rowOf", "if (mayRead !== null) return rowOf"],
    anew
  ),
  guard(
    "go on with what older rights let a client see",
    inside("peer"),
    ["  peer.isHeld = false\n  return restart(peer)", "  peer.isHeld = false\n  return undefined"],
    anew
  ),
  guard(
    "tell a client of a pool that has ended that it was closed",
    inside("peer"),
    [
      "return endWith(endReasonOf(reason), message)\n}",
      'return endWith(reason === message ? "Ended" : "Closed", message)\n}'
    ],
    ends
  ),
  guard(
    "follow for a client that has got its end",
    inside("poolServing"),
    [
      "Stream.ensuring(Stream.repeatEffectOption(next(peer)), release)",
      "Stream.repeatEffectOption(next(peer))"
    ],
    ends
  ),
  guard(
    "make a part of any number of bytes",
    inside("serving"),
    ["(rows.length === rowsPerPart || bytes + more > bytesPerPart)", "rows.length === rowsPerPart"],
    parts
  ),
  guard(
    "make a part of any number of rows",
    inside("serving"),
    ["(rows.length === rowsPerPart || bytes + more > bytesPerPart)", "bytes + more > bytesPerPart"],
    parts
  ),
  guard(
    "read any number of requests of a client that takes no answer",
    inside("peer"),
    [
      "if (peer.isOver || peer.answers.length + peer.replies.length < maxAnswers) onRoom()",
      "if (peer.isOver || maxAnswers > 0) onRoom()"
    ],
    slow
  )
]
