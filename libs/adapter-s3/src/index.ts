export { s3Stores, type S3Options, type S3Stores } from './stores.ts';
