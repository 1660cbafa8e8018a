#!/bin/sh
# The broker of the container; under the name of one of Kafka's tools, that tool.
# -f: the class path has a star of its own.
set -euf
java="java -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -XX:+UseSerialGC -cp /opt/kafka/libs/*"
case $0 in
  *kafka-topics.sh) exec $java -Xmx128m org.apache.kafka.tools.TopicCommand "$@" ;;
esac
export CLUSTER_ID="${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}"
set_up() {
  $java kafka.docker.KafkaDockerWrapper setup \
    --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1
}
# A broker that is started again has its storage.
said=$(set_up) || case $said in *'already formatted'*) ;; *) echo "$said" >&2; exit 1 ;; esac
exec $java ${KAFKA_HEAP_OPTS:--Xmx512m} kafka.Kafka /opt/kafka/config/server.properties
