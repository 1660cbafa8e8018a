export { openXComBackend, type XComAbout, type XComBackend } from './backend.ts';
export { decodeValue, encodeValue, problemOfEncoded } from './codec.ts';
export { folderBackend } from './folder-backend.ts';
export { registerSerialiser, type Serialiser } from './serialisers.ts';
export { DEFAULT_MAX_XCOM_BYTES, INLINE_BYTES, type XComSettings } from './store.ts';
