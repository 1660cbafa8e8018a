export { readConfig, type ConfigResult, type StandaloneConfig } from './config.ts';
export { startPlatform, type Platform, type PlatformOptions } from './platform.ts';
