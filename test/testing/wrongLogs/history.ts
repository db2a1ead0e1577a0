/** Wrong in compaction and epochs. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { compacted, epochChanged } from "../../../src/internal/log/events.js"
import { parts } from "../rightLog.js"
import { aWhile, calling, differing, type WrongLog } from "./wrong.js"

const compaction: ReadonlyArray<WrongLog> = [
  differing(
    "gives what is left after a cursor below the floor",
    {
      cursor: (disk, after) => {
        const problem = parts.cursor(disk, after)
        return problem?._tag === "Compacted" ? undefined : problem
      }
    },
    ["compacted-below-the-floor", "no-hole-while-compacting"]
  ),
  differing(
    "names the head as the floor of what is gone",
    {
      cursor: (disk, after) => {
        const problem = parts.cursor(disk, after)
        return problem?._tag === "Compacted" ? compacted(disk.head.seq) : problem
      }
    },
    ["compacted-below-the-floor"]
  ),
  differing(
    "begins again when it is empty",
    {
      compact: (disk, upTo) => {
        parts.compact(disk, upTo)
        if (disk.rows.length > 0) return
        disk.head = ChangeLog.start(disk.head.epoch)
        disk.floor = disk.head
      }
    },
    ["compaction-moves-no-head", "no-hole-while-compacting"]
  ),
  differing(
    "moves its floor back",
    {
      compact: (disk, upTo) => {
        if (upTo > disk.floor.seq) parts.compact(disk, upTo)
        else disk.floor = { ...disk.floor, seq: Math.max(0, upTo) }
      }
    },
    ["compaction-goes-forward"]
  ),
  calling(
    "looks at the floor before it reads",
    (disk, rightly) => ({
      read: ({ after, limit }) =>
        Effect.zipRight(
          Effect.asVoid(rightly.read({ after, limit })),
          Effect.map(aWhile, () =>
            parts
              .after(disk, after.seq, limit)
              .map((row) => ({ ...row, previous: rightly.state === "none" ? undefined : row.previous }))
          )
        )
    }),
    ["no-hole-while-compacting"]
  )
]

const epochs: ReadonlyArray<WrongLog> = [
  differing(
    "compares no epochs",
    { cursor: (disk, after) => parts.cursor(disk, { ...after, epoch: disk.head.epoch }) },
    ["other-epoch", "renewal"]
  ),
  differing(
    "compares no tags",
    {
      cursor: (disk, after) => {
        const { seq } = after
        const row =
          seq === disk.floor.seq
            ? disk.floor
            : disk.rows.find(({ revision }) => revision.seq === seq)?.revision
        return parts.cursor(disk, { ...after, tag: row?.tag ?? 0 })
      }
    },
    ["wrong-tag"]
  ),
  differing(
    "waits for a head that has been lost",
    {
      cursor: (disk, after) =>
        after.epoch === disk.head.epoch && after.seq > disk.head.seq ? undefined : parts.cursor(disk, after)
    },
    ["beyond-the-head"]
  ),
  differing(
    "names the epoch of the cursor as its own",
    {
      cursor: (disk, after) => {
        const problem = parts.cursor(disk, after)
        return problem?._tag === "EpochChanged" ? epochChanged(after.epoch) : problem
      }
    },
    ["other-epoch"]
  ),
  differing(
    "goes on counting when it is renewed",
    {
      renew: (disk) => {
        const { seq } = disk.head
        parts.renew(disk)
        disk.head = { ...disk.head, seq }
        disk.floor = disk.head
      }
    },
    ["renewal"]
  ),
  differing(
    "keeps its epoch when it is renewed",
    {
      renew: (disk) => {
        const { epoch } = disk.head
        parts.renew(disk)
        disk.head = ChangeLog.start(epoch)
        disk.floor = disk.head
      }
    },
    ["renewal", "state-outlives-history"]
  )
]

export const wrongHistory: ReadonlyArray<WrongLog> = [...compaction, ...epochs]
