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
