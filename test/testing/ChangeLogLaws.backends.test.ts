/** This library's own change logs keep the laws of change logs. */
import { changeLogLaws } from "effect-recorder/testing/vitest"
import { runs } from "../support/laws/laws.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { memorySubject, pgSubjects, sqliteSubjects, states } from "../support/watch/logs.js"

for (const [way, state] of states.entries()) {
  changeLogLaws(memorySubject(state))
  changeLogLaws(memorySubject(state, "indexed"))
  for (const subject of sqliteSubjects(state)) changeLogLaws(subject)
  for (const [n, { name, url }] of databaseUrls().entries()) {
    const subjects = pgSubjects(name, url, state)
    // To a further server one way for each state, unless the run is long.
    for (const subject of n === 0 || runs(1) > 1 ? subjects : subjects.slice(way, way + 1)) {
      changeLogLaws(subject)
    }
  }
}

// One way to each database: the ways differ in their connections alone.
for (const [n, state] of states.entries()) {
  for (const subject of sqliteSubjects(state, "indexed").slice(n, n + 1)) changeLogLaws(subject)
}
for (const [n, { name, url }] of databaseUrls().entries()) {
  const way = n % states.length
  for (const subject of pgSubjects(name, url, states[way] ?? "none", "indexed").slice(way, way + 1)) {
    changeLogLaws(subject)
  }
}
