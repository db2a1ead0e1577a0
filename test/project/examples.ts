/**
 * Runs every examples/NN-*.ts, one after the other, and fails when one fails. They find a PostgreSQL server by
 * DATABASE_URL: the given one, or one that is started here.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createDatabase, startPostgres } from "../support/postgres/server.js"
import { filesBelow, root, typescript } from "../support/project.js"

const limit = 120_000

const wanted = process.argv.slice(2)
const examples = filesBelow("examples", /^\d\d-.*\.ts$/).filter(
  (file) => wanted.length === 0 || wanted.some((word) => file.includes(word))
)
if (examples.length === 0) throw new Error("there are no examples/NN-*.ts to run")

const given = process.env.DATABASE_URL
const server = given === undefined || given === "" ? await startPostgres() : undefined
const url = server === undefined ? (given ?? "") : server.url

const failed: Array<string> = []
try {
  for (const file of examples) {
    console.log(`\n--- ${file}`)
    const database = server === undefined ? undefined : await createDatabase(url)
    const began = Date.now()
    const child = spawn(process.execPath, [...typescript, file], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, DATABASE_URL: database?.url ?? url }
    })
    const timer = setTimeout(() => child.kill("SIGKILL"), limit)
    const [code, signal] = await once(child, "exit")
    clearTimeout(timer)
    await database?.drop()
    console.log(`--- ${file}: ${code === 0 ? "ok" : `FAILED (${code ?? signal})`}, ${Date.now() - began} ms`)
    if (code !== 0) failed.push(file)
  }
} finally {
  await server?.stop()
}
console.log(`\n${examples.length - failed.length} of ${examples.length} examples ran to their end`)
if (failed.length > 0) {
  console.error(`failed: ${failed.join(", ")}`)
  process.exitCode = 1
}
