/** Mutants of the cache that no test can notice, or that do no harm, and why. */
import type { Harmless } from "./survivors.js"

const cells = "src/internal/cache/cells.ts"
const flight = "src/internal/cache/flight.ts"
const flights = "src/internal/cache/flights.ts"
const journal = "src/internal/cache/journal.ts"
const sieve = "src/internal/cache/sieve.ts"
const tags = "src/internal/cache/tags.ts"

export const harmlessInCache: ReadonlyArray<Harmless> = [
  {
    file: cells,
    reason: "Every load and every invalidation takes a stamp of its own: the two are never the same.",
    mutants: [
      ["hit: if (cell === undefined", "cell.stamp <= cells.notCurrentUpTo", "cell.stamp <"],
      ["stateOf: if (cell.stamp <= cells.invalidUpTo)", "cell.stamp <= cells.invalidUpTo", "cell.stamp <"],
      ["stateOf: if (cells.distrusted", "cell.stamp <= cells.suspectUpTo", "cell.stamp <"],
      ["stateOf: return cell.freshUntil", "cell.stamp <= cells.expiredUpTo", "cell.stamp <"],
      ["fill: if (stamp <= cells.invalidUpTo)", "stamp <= cells.invalidUpTo", "stamp <"],
      ["fill: if (stamp <= Math.abs(known.stamp))", "stamp <= Math.abs(known.stamp)", "stamp <"]
    ]
  },
  {
    file: cells,
    reason: "Nothing is fresh until the beginning of a clock.",
    mutants: [["stateOf: return cell.freshUntil", "cell.freshUntil < 0", "cell.freshUntil <="]]
  },
  {
    file: cells,
    reason: "The stamp is 0 in a cell that was pinned and never filled: there is no value to drop.",
    mutants: [["get: if (cell.stamp > 0)", "cell.stamp > 0", "cell.stamp >="]]
  },
  {
    file: cells,
    reason: "A tag more than a value has is the tag of nothing, and one that is there twice is there.",
    mutants: [
      ["addTags: const known = cell.tags ?? []", "[]", "["],
      ["addTags: const added = tags.filter", "tags.filter", "tags"],
      ["addTags: if (added.length === 0) return", "added.length === 0", "false"]
    ]
  },
  {
    file: cells,
    reason: "The list notes itself that a new cell was not read.",
    mutants: [["addCell: visited: false", "false", "true"]]
  },
  {
    file: cells,
    reason: "It only becomes the newest of the list, as if it was new: an order of eviction.",
    mutants: [
      ["makeRoom: else if (cells.bytes + size > maxBytes)", "cells.bytes + size > maxBytes", "true"],
      [
        "makeRoom: else if (cells.bytes + size > maxBytes)",
        "cells.bytes + size > maxBytes",
        "cells.bytes + size >="
      ]
    ]
  },
  {
    file: flight,
    reason: "A flight that refreshes is wanted for ever: a count that is too high says no more.",
    mutants: [["refresh: if (flight.waiters.size === 0) want(flight)", "flight.waiters.size === 0", "true"]]
  },
  {
    file: flight,
    reason: "Then the turn is scheduled as well, or again: when it is over nothing is due any more.",
    mutants: [
      ["wakeInTime: if (flights.settings.gather", "flights.settings.gather", "flights.settings.gather"],
      ["wakeInTime: if (flights.settings.gather", "flights.settings.gather", "false"],
      ["wakeInTime: flights.turnScheduled = true", "true", "false"]
    ]
  },
  {
    file: journal,
    reason: "The Map is empty already: a shortcut.",
    mutants: [
      ["clear: if (stamps.size > 0) stamps.clear()", "stamps.size > 0", "true"],
      ["clear: if (stamps.size > 0) stamps.clear()", "stamps.size > 0", "stamps.size >="]
    ]
  },
  {
    file: tags,
    reason: "The index has each cell under all of its tags: there are members whenever this line is reached.",
    mutants: [
      ["remove: members?.delete(cell)", "members?.delete", "members.delete"],
      ["remove: if (members?.size === 0)", "members?.size", "members.size"]
    ]
  },
  {
    file: flights,
    reason: "The answers are collected for nobody.",
    mutants: [
      ["end: return Effect.forEach([...flights.fibers]", "{ discard: true }", "{}"],
      ["end: return Effect.forEach([...flights.fibers]", "true", "false"]
    ]
  },
  {
    file: flights,
    reason: "A load more than is needed finds nothing queued, and ends.",
    mutants: [
      [
        "dispatch: const loads = Math.ceil",
        "flights.queued.size / batchSize(flights)",
        "flights.queued.size *"
      ],
      ["dispatch: return Effect.repeatN", "loads - 1", "loads +"]
    ]
  },
  {
    file: flights,
    reason: "A sleep without end is a timer that never ends the load, and ends with it.",
    mutants: [["run: const timer = hardTimeout", "hardTimeout === Number.POSITIVE_INFINITY", "false"]]
  },
  {
    file: sieve,
    reason: "What is not there reads as undefined.",
    mutants: [["make: export const make", "{ newest: undefined", "{}"]]
  }
]
