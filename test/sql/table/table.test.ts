import { databaseUrls } from "../../support/postgres/databases.js"
import { pgSchema, sqliteFile } from "../../support/table/databases.js"
import { refusalSuite } from "./refusals.suite.js"
import { tableSuite } from "./table.suite.js"

tableSuite("SqlTable over a SqliteClient", sqliteFile)
refusalSuite("SqlTable over a SqliteClient", sqliteFile)

for (const { name, url } of databaseUrls()) {
  tableSuite(`SqlTable over a PgClient, ${name}`, pgSchema(url))
  refusalSuite(`SqlTable over a PgClient, ${name}`, pgSchema(url))
}
