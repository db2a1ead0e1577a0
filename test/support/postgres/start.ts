// Started as a process of its own by postgres.test.ts: prints what it started, and waits for the end of its input.
import { startPostgres } from "./server.js"

const folder = process.argv[2]
const server = await startPostgres(folder === undefined ? {} : { binaries: { folder } })
console.log(JSON.stringify({ url: server.url, dataDir: server.dataDir, version: server.version }))
process.stdin.resume()
process.stdin.on("end", () => {
  server.stop().catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
  })
})
