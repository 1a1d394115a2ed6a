// Search in pages that are opened from a folder, where browsers start no worker: a hidden
// frame takes its place. Material's search knows such a frame as IFrameWorker.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inside = frame.contentWindow
      this.loaded = new Promise((done) => frame.addEventListener("load", done, { once: true }))
      frame.worker = this
      const page = frame.contentDocument
      page.open()
      page.write(
        `<body><script>
          postMessage = (data) => frameElement.worker.answer(data)
          importScripts = async (...urls) => {
            for (const url of urls)
              await new Promise((done, failed) => {
                const script = document.createElement("script")
                Object.assign(script, { src: url, onload: done, onerror: failed })
                document.body.append(script)
              })
          }
        </scr` + `ipt><script src="${url}"></scr` + `ipt></body>`
      )
      page.close()
    }

    answer(data) {
      const event = new MessageEvent("message", { data })
      this.onmessage?.(event)
      this.dispatchEvent(event)
    }

    postMessage(data) {
      this.loaded.then(() =>
        this.inside.dispatchEvent(new MessageEvent("message", { data }))
      )
    }

    terminate() {
      this.inside.frameElement.remove()
    }
  }
  window.Worker = window.IFrameWorker
}
