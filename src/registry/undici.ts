// What we use of undici, imported statically, so that the bundle holds only that; this module is loaded when a first request is sent.
export { Agent, EnvHttpProxyAgent, request } from 'undici';
