/** `socksmith user`: the users file. Passwords are asked for without echo, or read as one line from a pipe. */
import { existsSync } from 'node:fs'
import { loadConfig } from '../config/load.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { askNewPassword } from '../terminal/prompt-password.ts'
import { print, say } from '../terminal/say.ts'
import { type PasswordHash, hashPassword, passwordFault } from '../users/password.ts'
import { userNameFault } from '../users/user-name.ts'
import { type Users, changeUsersFile, readUsersFile } from '../users/users-file.ts'

/** Where the users are: the file itself, or a configuration that names it. */
export interface UsersPlace {
  readonly users?: string
  readonly config?: string
}

/** Adds a user; begins the file when there is none. */
export async function addUser(name: string, place: UsersPlace): Promise<Outcome<void>> {
  return setPassword(name, place, true)
}

/** Gives a user another password. */
export async function changePassword(name: string, place: UsersPlace): Promise<Outcome<void>> {
  return setPassword(name, place, false)
}

async function setPassword(name: string, place: UsersPlace, isNew: boolean): Promise<Outcome<void>> {
  const fault = userNameFault(name)
  if (fault !== undefined) return trouble(EXIT.USAGE, fault)
  const path = await usersPath(place)
  if (!path.ok) return path
  const fitting = (users: Users): Outcome<void> => {
    if (isNew === users.has(name)) return isNew ? isThere(name) : isNotThere(name, path.value)
    return done(undefined)
  }
  // Asked before the person types a password in vain, and again when the file is changed.
  const mayBegin = isNew && !existsSync(path.value)
  const before = mayBegin ? done(new Map()) : await readUsersFile(path.value)
  const asked = before.ok ? fitting(before.value) : before
  if (!asked.ok) return asked
  const hash = await newHash(name)
  if (!hash.ok) return hash
  const changed = await changeUsersFile(path.value, isNew, users => {
    const fits = fitting(users)
    return fits.ok ? done({ name, hash: hash.value }) : fits
  })
  if (changed.ok) say(isNew ? `${name} was added to ${path.value}` : `${name} has a new password`)
  return changed
}

async function newHash(name: string): Promise<Outcome<PasswordHash>> {
  const password = await askNewPassword(name)
  if (!password.ok) return password
  const fault = passwordFault(password.value)
  return fault === undefined
    ? done(await hashPassword(password.value))
    : trouble(EXIT.DATA, `${fault}; nothing was changed`)
}

/** Keeps the user and the password, but nobody can log in with them; sessions end within a second. */
export async function disableUser(name: string, place: UsersPlace): Promise<Outcome<void>> {
  return setDisabled(name, place, true)
}

/** The user can log in again, with the old password. */
export async function enableUser(name: string, place: UsersPlace): Promise<Outcome<void>> {
  return setDisabled(name, place, false)
}

async function setDisabled(name: string, place: UsersPlace, isDisabled: boolean): Promise<Outcome<void>> {
  const path = await usersPath(place)
  if (!path.ok) return path
  const changed = await changeUsersFile(path.value, false, users => {
    const hash = users.get(name)
    return hash === undefined ? isNotThere(name, path.value) : done({ name, hash: { ...hash, isDisabled } })
  })
  if (changed.ok) say(isDisabled ? `${name} cannot log in any more` : `${name} can log in again`)
  return changed
}

/** Prints the names, one a line. */
export async function listUsers(place: UsersPlace): Promise<Outcome<void>> {
  const path = await usersPath(place)
  if (!path.ok) return path
  const users = await readUsersFile(path.value)
  if (!users.ok) return users
  for (const [name, { isDisabled }] of users.value) print(isDisabled === true ? `${name} (disabled)` : name)
  return done(undefined)
}

/** Takes a user away; the server refuses the next login and ends the sessions within a second. */
export async function removeUser(name: string, place: UsersPlace): Promise<Outcome<void>> {
  const path = await usersPath(place)
  if (!path.ok) return path
  const changed = await changeUsersFile(path.value, false, users =>
    users.has(name) ? done({ name, hash: undefined }) : isNotThere(name, path.value),
  )
  if (changed.ok) say(`${name} was removed from ${path.value}`)
  return changed
}

async function usersPath({ users, config }: UsersPlace): Promise<Outcome<string>> {
  if (users !== undefined) return done(users)
  if (config === undefined)
    return trouble(EXIT.USAGE, 'which users file? Say --users FILE, or --config FILE with the key users.file')
  const loaded = await loadConfig(config, { keys: {}, eachListener: {} })
  if (!loaded.ok) return loaded
  const { file } = loaded.value.users
  return file === undefined ? trouble(EXIT.DATA, `${config} names no users file (users.file)`) : done(file)
}

function isThere(name: string): Outcome<never> {
  return trouble(EXIT.DATA, `${name} is there already; "socksmith user passwd" changes the password`)
}

function isNotThere(name: string, path: string): Outcome<never> {
  return trouble(EXIT.DATA, `there is no user ${name} in ${path}; "socksmith user list" shows the names`)
}
