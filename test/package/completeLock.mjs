// npm leaves the packages for other platforms out of the lock file when the registry at hand does not serve
// them, and then "npm ci" refuses that lock file. Their versions are pinned by the package that asks for them,
// their platform stands in their name: enough for an entry.
import { readFileSync, writeFileSync } from "node:fs"

const file = new URL("../../package-lock.json", import.meta.url)
const lock = JSON.parse(readFileSync(file, "utf8"))

const systems = ["android", "darwin", "freebsd", "linux", "openbsd", "openharmony", "win32"]
const cpus = { arm: "arm", arm64: "arm64", ia32: "ia32", loong64: "loong64", ppc64: "ppc64" }
Object.assign(cpus, { riscv64: "riscv64", s390x: "s390x", x64: "x64" })

const platform = (name) => {
  const words = name.split(/[/-]/)
  const os = words.filter((word) => systems.includes(word))
  const cpu = words.map((word) => cpus[word]).filter((word) => word !== undefined)
  if (os.length !== 1 || cpu.length !== 1) throw new Error(`${name} does not name its platform`)
  const libc = /musl/.test(name) ? { libc: ["musl"] } : {}
  return { os, cpu, ...libc }
}

let added = 0
const find = (from, name) => {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const key = `${at === "" ? "" : `${at}/`}node_modules/${name}`
    if (lock.packages[key] !== undefined) return key
    if (at === "") return undefined
  }
}
for (const [key, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (find(key, name) !== undefined) continue
    if (!/^\d/.test(version)) throw new Error(`${key} asks for ${name}@${version}, which is no exact version`)
    const own = entry.dev === true ? { dev: true } : {}
    const peer = entry.peer === true ? { peer: true } : {}
    lock.packages[`node_modules/${name}`] = { version, ...own, ...peer, optional: true, ...platform(name) }
    added += 1
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en")))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`package-lock.json: ${added} packages for other platforms added`)
