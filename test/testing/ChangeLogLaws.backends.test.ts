/** This library's own change logs keep the laws of change logs. */
import { changeLogLaws } from "effect-recorder/testing/vitest"
import { databaseUrls } from "../support/postgres/databases.js"
import { memorySubject, pgSubjects, sqliteSubjects, states } from "../support/watch/logs.js"

for (const state of states) {
  changeLogLaws(memorySubject(state))
  changeLogLaws(memorySubject(state, "indexed"))
  for (const subject of sqliteSubjects(state)) changeLogLaws(subject)
  for (const { name, url } of databaseUrls()) {
    for (const subject of pgSubjects(name, url, state)) changeLogLaws(subject)
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
