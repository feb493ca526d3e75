#!/usr/bin/env node
// Starts the command. Old syntax only (any Node that knows modules can read it), so that
// a Node that is too old still says so.
/* eslint-disable no-var */
var NEEDED = [24, 8]

var parts = process.versions.node.split('.')
var major = Number(parts[0])
var minor = Number(parts[1])

if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  console.error(
    'socksmith needs Node ' +
      NEEDED.join('.') +
      ' or newer, and this is Node ' +
      process.versions.node +
      '.\n' +
      'Get one, for example:\n' +
      '  npm install -g --prefix ~/.local node@26 socksmith     then put ~/.local/bin first in PATH\n' +
      '  npm ci && npx socksmith                                in a checkout of the project\n' +
      '  https://nodejs.org/en/download                         for everything else',
  )
  process.exitCode = 69
} else {
  void start()
}

async function start() {
  // What nobody awaited: nothing can be said about the state of the process any more.
  process.on('uncaughtException', error => {
    report(error)
    process.exit(70)
  })
  try {
    const { load } = await import('./load.js')
    const program = await load('main')
    process.exitCode = await program.main(process.argv.slice(2))
  } catch (error) {
    report(error)
    process.exitCode = 70
  }
}

function report(error) {
  console.error('This is a bug in socksmith; please report it with these lines:')
  console.error(error instanceof Error ? error.stack : error)
}
