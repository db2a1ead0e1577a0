/** The page of the task list in two windows of a real browser. */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { listFile, serving } from "../support/examples/taskList.js"
import { describeInChromium, openPage } from "../support/http/chromium.js"

/** A window of a person, as its user works with it. */
const windowOf = (page: Page) => {
  const errors: Array<string> = []
  page.on("pageerror", (error) => errors.push(String(error)))
  const texts = page.locator("#tasks input[type=text]")
  const item = (at: number) => page.locator("#tasks li").nth(at)
  const shown = (selector: string, hasText: string) =>
    Effect.promise(() => page.locator(selector).filter({ hasText }).waitFor())
  return {
    errors,
    shown,
    /** Waits until the page lists these texts. */
    lists: (expected: ReadonlyArray<string>) => {
      const wanted = JSON.stringify(JSON.stringify(expected))
      const now = `Array.from(document.querySelectorAll("#tasks input[type=text]"), ({ value }) => value)`
      return Effect.promise(() => page.waitForFunction(`JSON.stringify(${now}) === ${wanted}`))
    },
    add: (text: string) =>
      Effect.promise(async () => {
        await page.getByLabel("new task").fill(text)
        await page.getByRole("button", { name: "add" }).click()
      }),
    edit: (at: number, text: string) =>
      Effect.promise(async () => {
        await texts.nth(at).fill(text)
        await texts.nth(at).blur()
      }),
    hide: (at: number) => Effect.promise(() => item(at).getByLabel("hidden from readers").click()),
    remove: (at: number) => Effect.promise(() => item(at).getByRole("button", { name: "delete" }).click()),
    click: (name: string) => Effect.promise(() => page.getByRole("button", { name }).click()),
    canEdit: Effect.promise(() => page.locator("#add").isVisible())
  }
}

const opened = (url: string, token: string) => Effect.map(openPage(`${url}/#${token}`), windowOf)

describeInChromium("the page of the task list", () => {
  it.scopedLive("shows two windows the same tasks and who is here, over a restart of the server", () =>
    Effect.gen(function* () {
      const file = yield* listFile
      const { named, port, stop, url } = yield* serving(file)
      const ada = yield* opened(url, named("ada").token)
      const guest = yield* opened(url, named("guest").token)
      yield* ada.shown("#state", "live")
      yield* guest.shown("#state", "live")
      yield* ada.shown("#here", "guest")
      yield* ada.add("milk")
      yield* ada.add("<b>bread</b>")
      yield* guest.lists(["milk", "<b>bread</b>"])
      yield* ada.edit(0, "oat milk")
      yield* guest.lists(["oat milk", "<b>bread</b>"])
      yield* ada.hide(1)
      yield* guest.lists(["oat milk"])
      expect([yield* ada.canEdit, yield* guest.canEdit]).toEqual([true, false])
      yield* stop
      yield* guest.shown("#state", "connecting")
      // It is sent until the server is back.
      yield* ada.add("salt")
      yield* serving(file, port)
      yield* guest.lists(["oat milk", "salt"])
      yield* ada.lists(["oat milk", "<b>bread</b>", "salt"])
      yield* ada.remove(0)
      yield* guest.lists(["salt"])
      expect([ada.errors, guest.errors]).toEqual([[], []])
    })
  )

  it.scopedLive("ends the window of a read-only link that is revoked, and it does not come back", () =>
    Effect.gen(function* () {
      const { named, url } = yield* serving(yield* listFile)
      const ada = yield* opened(url, named("ada").token)
      yield* ada.shown("#share", named("guest").token)
      yield* ada.add("milk")
      const guest = yield* opened(url, named("guest").token)
      yield* guest.lists(["milk"])
      yield* ada.click("revoke")
      yield* guest.shown("#state", "this link was revoked")
      yield* guest.lists([])
      yield* ada.shown("#share", "there is no read-only link")
      const again = yield* opened(url, named("guest").token)
      yield* again.shown("#state", "this link was revoked")
      yield* guest.shown("#state", "this link was revoked")
      expect([guest.errors, again.errors]).toEqual([[], []])
    })
  )
})
