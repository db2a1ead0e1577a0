/** This library's own tiers keep the laws of tiers. */
import { tierLaws } from "effect-recorder/testing/vitest"
import { memorySubject, persistenceSubjects, pgSubject, sqliteSubject } from "../support/laws/tiers.js"
import { databaseUrls } from "../support/postgres/databases.js"

const subjects = [
  memorySubject,
  sqliteSubject(),
  ...persistenceSubjects,
  ...databaseUrls().map(({ name, url }) => pgSubject(name, url))
]

for (const subject of subjects) tierLaws(subject, { samples: 50 })
