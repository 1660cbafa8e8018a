#!/usr/bin/env node
/**
 * Prints what this machine lacks to run the engines of tests as processes, one thing a line, with how to get it; what they are
 * made of is fetched now. Exit status 1: something is missing.
 */
import { kafkaJars, missingForKafka } from './kafka.mjs';
import { missingForPostgres } from './postgres.mjs';
import { missingForS3, s3Program } from './s3.mjs';

const fetched = (what, fetch) => {
  try {
    fetch();
    return [];
  } catch (error) {
    return [`${what}, which cannot be fetched (${error.message})`];
  }
};

const missing = [...missingForKafka(), ...missingForPostgres(), ...missingForS3()];
if (missing.length === 0)
  missing.push(...fetched("Kafka's Maven artifacts", kafkaJars), ...fetched('the moto server of PyPI', s3Program));
for (const each of missing) console.log(each);
process.exitCode = missing.length === 0 ? 0 : 1;
