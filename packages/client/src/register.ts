/**
 * `node --import @socksmith/client/register app.js`: the HTTP of the program goes by the route of the environment
 * (`ALL_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, ...). A variable that cannot be used ends the program before it starts.
 */
import { install } from './http/install.ts'

install()
