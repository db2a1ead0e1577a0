import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"

const [folder] = process.argv.slice(2)

const pid = () => {
  try {
    return Number(readFileSync(join(folder, "data", "postmaster.pid"), "utf8").split("\n")[0])
  } catch {
    return undefined
  }
}

const send = (signal) => {
  const id = pid()
  if (id === undefined) return false
  try {
    process.kill(id, signal)
    return true
  } catch {
    return false
  }
}

process.stdin.resume()
process.stdin.on("error", () => {})
process.stdin.on("close", async () => {
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"]) {
    if (!send(signal)) break
    for (let i = 0; i < 100 && send(0); i++) await setTimeout(100)
  }
  if (existsSync(folder)) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  process.exit(0)
})
