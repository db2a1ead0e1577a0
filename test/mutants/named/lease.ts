/** Guards of deadlines and sessions: when something ends, and what no longer ends it. */
import { guardsOf } from "./guard.js"

const guard = guardsOf("lease")

const timers = (title: string) => ["lease/timers", title] as const
const sessions = (title: string) => ["lease/sessions", title] as const
const heap = [
  "lease/heap",
  "has the earliest deadline first after any additions, moves and removals, and knows each place"
] as const
const law = [
  "lease/timers.laws",
  "fire strictly after their last deadline, in order, once, whether an access or the fiber meets them"
] as const

export const leaseGuards = [
  guard(
    "fire at the deadline itself",
    "internal/lease/timers",
    ["now > timer.deadline", "now >= timer.deadline"],
    timers("is not due before and at its deadline, and fires 1 ms after it by an access")
  ),
  guard(
    "wake the fiber later than at the first moment",
    "internal/lease/timers",
    [
      "Math.floor(earliest.deadline - monotonicMillis(state.clock)) + 1",
      "Math.ceil(earliest.deadline - monotonicMillis(state.clock)) + 2"
    ],
    law
  ),
  guard(
    "sleep as long as a host cannot",
    "internal/lease/timers",
    ["Math.min(Math.max(millis, 1), maxSleep)", "Math.max(millis, 1)"],
    timers("fires with a deadline beyond what hosts can wait for")
  ),
  guard(
    "sleep on when an earlier deadline comes",
    "internal/lease/timers",
    ["  state.sleepsUntil = deadline\n  wakeFiber(state)\n", "  state.sleepsUntil = deadline\n"],
    timers("fires by the fiber at its new deadline only, when it was moved")
  ),
  guard(
    "fire a moved timer at its old deadline",
    "internal/lease/heap",
    ["  node.deadline = deadline\n", "  node.deadline = Math.min(node.deadline, deadline)\n"],
    timers("fires by the fiber at its new deadline only, when it was moved")
  ),
  guard(
    "measure deadlines by the wall clock",
    "internal/lease/timers",
    [
      "const now = monotonicMillis(state.clock)\n  let fired",
      "const now = state.clock.unsafeCurrentTimeMillis()\n  let fired"
    ],
    timers("keeps its moment when the wall clock is set back by an hour")
  ),
  guard(
    "move what belongs to other timers",
    "internal/lease/heap",
    ["nodes[node.place] === node", "node.place < nodes.length && node.place >= 0"],
    timers("of other timers is neither moved nor cancelled")
  ),
  guard(
    "let a timer that throws end the fiber",
    "internal/lease/timers",
    ["  } catch (fault) {\n", "  } catch (fault) {\n    if (state.clock !== undefined) throw fault\n"],
    timers("fire all although one throws, which is logged")
  ),
  guard(
    "fire all that is due in one turn",
    "internal/lease/timers",
    ["fireDue(state, maxPerTurn) < maxPerTurn", "fireDue(state, 1e9) < 1e9"],
    timers("that are due in thousands leave the turn to others in between")
  ),
  guard(
    "fire after the scope has closed",
    "internal/lease/timers",
    ["  Heap.clear(state.heap)\n", ""],
    timers("fire no more when their scope has closed")
  ),
  guard(
    "close without a log of what was thrown",
    "internal/lease/timers",
    ["    logFaults(state)\n  )\n", "    Effect.void\n  )\n"],
    timers("log what was thrown just before their scope closed")
  ),
  guard("sink no node that is moved", "internal/lease/heap", ["  sink(heap, node, node.place)\n", ""], heap),
  guard(
    "raise no node that takes a removed one's place",
    "internal/lease/heap",
    ["  rise(heap, node, place)\n  sink(heap, node, node.place)\n", "  sink(heap, node, place)\n"],
    heap
  ),
  guard(
    "forget in which order equal deadlines were given",
    "internal/lease/heap",
    ["(a.deadline === b.deadline && a.order < b.order)", "(a.deadline === b.deadline && a.order > b.order)"],
    heap
  ),
  guard(
    "let an older connection begin the grace",
    "internal/lease/sessions",
    ["entry.generation !== generation || entry.timer", "entry.timer"],
    sessions("is not ended by an older connection that is closed after the new one came")
  ),
  guard(
    "let an older connection end the session",
    "internal/lease/sessions",
    ["if (entry?.generation === generation) end", "if (entry !== undefined && generation > 0) end"],
    sessions("is not ended by an older connection that is closed after the new one came")
  ),
  guard(
    "let the grace go on when the session is resumed",
    "internal/lease/sessions",
    ["  stopGrace(state, entry)\n  entry.generation++\n", "  entry.generation++\n"],
    sessions("is resumed at the last millisecond of its grace, and does not end by the old grace")
  ),
  guard(
    "prolong the grace by a second close",
    "internal/lease/sessions",
    [" || entry.timer !== undefined) return\n", ") return\n  stopGrace(state, entry)\n"],
    sessions("ends as lost when its grace is over, 1 ms after its last millisecond")
  ),
  guard(
    "resume what the fiber has not ended yet",
    "internal/lease/sessions",
    [
      "  timers.runDue()\n  return entries.get(id)\n",
      "  return timers.now() < 0 ? undefined : entries.get(id)\n"
    ],
    sessions("has ended 1 ms after its grace, before the fiber runs, by resume")
  ),
  guard(
    "resume by any secret",
    "internal/lease/secret",
    ["return difference === 0", "return difference >= 0"],
    sessions("is resumed by its secret and its principal only, and a refusal changes nothing")
  ),
  guard(
    "resume by another principal",
    "internal/lease/sessions",
    ["if (principal !== entry.principal)", "if (principal === undefined && entry.principal !== undefined)"],
    sessions("is resumed by its secret and its principal only, and a refusal changes nothing")
  ),
  guard(
    "end again what said goodbye in its grace",
    "internal/lease/sessions",
    ["  stopGrace(state, entry)\n  remove(state, entry)\n", "  remove(state, entry)\n"],
    sessions("ends by a goodbye in its grace too, and then not again as lost")
  ),
  guard(
    "nest the ends of sessions",
    "internal/lease/sessions",
    [
      '  state.ended.push({ session: sessionOf(entry, "Ended"), why })\n  if (state.notifying) return\n',
      '  if (state.notifying) return notify(state, { session: sessionOf(entry, "Ended"), why })\n  state.ended.push({ session: sessionOf(entry, "Ended"), why })\n'
    ],
    sessions("are lost by thousands at once before listeners that use them, each once and in order")
  )
]
