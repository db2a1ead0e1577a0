/** This library's own tiers keep the laws of tiers. */
import { tierLaws } from "effect-recorder/testing/vitest"
import { memorySubject, persistenceSubjects, pgSubject, sqliteSubject } from "../support/laws/tiers.js"
import { databaseUrls } from "../support/postgres/databases.js"

tierLaws(memorySubject)
tierLaws(sqliteSubject)
for (const subject of persistenceSubjects) tierLaws(subject)
for (const { name, url } of databaseUrls()) tierLaws(pgSubject(name, url))
