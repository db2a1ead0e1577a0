/** Guards of the linger: what waits, for how long, and what never does. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("linger")

const byDefault = "a record waits up to 10 ms for others while small saves follow each other closely"
const afterPause = "a record or a burst after a pause is saved in its turn"
const hundred = "a hundred records wait for no more, in one turn or one after the other"
const holdsUp = "of 1 hour holds up no receipt, query, flush or close"
const toTheMilli = "a fixed linger is kept to the millisecond, and no record prolongs it"

export const lingerGuards: ReadonlyArray<NamedMutant> = [
  guard(
    "linger while a saver waits for the room of what lingers",
    "internal/actor/intake",
    ["      intake.events.crowded()\n      return\n", "      return\n"],
    ["recorder/linger", "holds up no saver that waits for room: a bound by a count"]
  ),
  guard(
    "begin the batch behind a lingering one in the middle of a segment",
    "internal/actor/intake",
    ["return size < mailbox.limit ? mailbox.limit - size : mailbox.limit", "return mailbox.limit"],
    ["recorder/prepare", "gets the next batch when it is full, with a linger of 50 too"]
  ),
  guard(
    "do not linger by default",
    "internal/recorder/options",
    ['Rules.or(Rules.anything, "adaptive" as const)', "Rules.or(Rules.anything, 0 as const)"],
    ["recorder/linger", byDefault]
  ),
  guard(
    "linger after a pause",
    "internal/actor/linger",
    ["openedAt > beganAt && openedAt - beganAt < millis", "openedAt > beganAt"],
    ["recorder/linger", afterPause]
  ),
  guard(
    "take a few saves in a row for a load",
    "internal/actor/linger",
    ["linger.close >= closeBatches && ", ""],
    ["recorder/linger", byDefault]
  ),
  guard(
    "take a pause for a part of the load",
    "internal/actor/linger",
    ["openedAt - linger.beganAt >= linger.millis", "false"],
    ["recorder/linger", afterPause]
  ),
  guard(
    "linger on a clock that stands",
    "internal/actor/linger",
    ["openedAt > beganAt && ", ""],
    ["recorder/linger", "on a clock that stands nothing waits, however many saves there are"]
  ),
  guard(
    "wait for a full batch in an adaptive linger",
    "internal/actor/linger",
    ["isAdaptive ? Math.min(enoughItems, limit) : limit", "limit"],
    ["recorder/linger", hundred]
  ),
  guard(
    "leave a lingering worker unaware of what ends its wait",
    "internal/actor/intake",
    ["missing > 0 && ", "missing < 0 && "],
    ["recorder/linger", hundred]
  ),
  guard(
    "linger although the bound is half reached",
    "internal/actor/intake",
    ["if (!belowHalf(bound, pending(intake), pendingBytes(intake))) intake.events.crowded()", ""],
    ["recorder/linger", "nothing waits while half of a bound by a count is reached"]
  ),
  guard(
    "let a receipt wait for a linger",
    "internal/recorder/saver",
    ["          actor.control.hurry()\n", ""],
    ["recorder/linger", holdsUp]
  ),
  guard(
    "let a query or a flush wait for a linger",
    "internal/actor/worker",
    ["Mailbox.hasRequest(mailbox) || ", ""],
    ["recorder/linger", holdsUp]
  ),
  guard(
    "let a close wait for a linger",
    "internal/actor/worker",
    ["linger.millis === 0 || closing || ", "linger.millis === 0 || "],
    ["recorder/linger", holdsUp]
  ),
  guard(
    "forget a receipt behind a full batch",
    "internal/actor/engine",
    ["linger.urgentBefore = mailbox.next", "linger.urgentBefore = mailbox.first + 1"],
    ["recorder/linger", "does not begin again for a receipt behind a full batch"]
  ),
  guard(
    "prolong a linger by each record",
    "internal/actor/worker",
    ["const openedAt = Mailbox.oldestAt(mailbox) ?? 0", "const openedAt = intake.monotonic()"],
    ["recorder/linger", toTheMilli]
  ),
  guard(
    "ring the alarm late",
    "internal/actor/alarm",
    ["Effect.sleep(Math.ceil(left))", "Effect.sleep(left + 1)"],
    ["recorder/linger", toTheMilli]
  ),
  guard(
    "linger where none is wanted",
    "internal/actor/linger",
    ['millis: setting === "adaptive" ? adaptiveMillis : setting', "millis: adaptiveMillis"],
    ["recorder/linger", "of 0 is none, under any load"]
  ),
  guard(
    "begin a fiber for each batch",
    "internal/actor/worker",
    [
      "return engine.behavior.onBatch(engine.resource as R, batch)",
      "return Effect.flatten(Effect.fork(engine.behavior.onBatch(engine.resource as R, batch)))"
    ],
    ["recorder/many", "64 recorders begin no fiber and arm no timer for a batch"]
  )
]
