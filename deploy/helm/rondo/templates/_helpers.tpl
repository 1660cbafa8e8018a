{{- define "rondo.name" -}}
{{- printf "%s" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "rondo.selector" -}}
app.kubernetes.io/name: rondo
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "rondo.labels" -}}
{{ include "rondo.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "rondo.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "rondo.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "rondo.claim" -}}
{{- default (printf "%s-shared" (include "rondo.name" .)) .Values.storage.claim -}}
{{- end -}}

{{- define "rondo.shared" -}}
{{- if hasPrefix "file://" .Values.storage.url }}true{{ end -}}
{{- end -}}

{{/* Every gateway by its own name: a worker keeps a session with each. */}}
{{- define "rondo.gateways" -}}
{{- $name := include "rondo.name" . -}}
{{- $addresses := list -}}
{{- range $i := until (int .Values.gateway.replicas) -}}
{{- $addresses = append $addresses (printf "%s-gateway-%d.%s-gateway:7233" $name $i $name) -}}
{{- end -}}
{{- join "," $addresses -}}
{{- end -}}

{{- define "rondo.podNamespace" -}}
{{- default .Release.Namespace .Values.kubernetesExecutor.namespace -}}
{{- end -}}

{{/* Settings of attempts in pods, which may be in another namespace. */}}
{{- define "rondo.kubernetes" -}}
{{- $own := .Values.kubernetesExecutor -}}
{{- $name := include "rondo.name" . -}}
{{- $gateways := list -}}
{{- range $i := until (int .Values.gateway.replicas) -}}
{{- $gateways = append $gateways (printf "%s-gateway-%d.%s-gateway.%s.svc:7233" $name $i $name $.Release.Namespace) -}}
{{- end -}}
- { name: RONDO_KUBERNETES_ENABLED, value: 'yes' }
- { name: RONDO_KUBERNETES_INSTALLATION, value: {{ printf "%s.%s" .Release.Namespace $name | trunc 63 | trimSuffix "-" | trimSuffix "." | quote }} }
- { name: RONDO_KUBERNETES_GATEWAYS, value: {{ join "," $gateways | quote }} }
- { name: RONDO_KUBERNETES_NAMESPACE, value: {{ include "rondo.podNamespace" . | quote }} }
- name: RONDO_KUBERNETES_IMAGE
  value: {{ default (printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag)) $own.image | quote }}
- { name: RONDO_KUBERNETES_SERVICE_ACCOUNT, value: {{ $own.serviceAccount.name | quote }} }
- { name: RONDO_KUBERNETES_MAX_PODS, value: {{ $own.maxPods | int | quote }} }
- { name: RONDO_KUBERNETES_NAMED_ONLY, value: {{ ternary "yes" "no" $own.namedOnly | quote }} }
- { name: RONDO_KUBERNETES_START_LIMIT, value: {{ $own.startLimit | int | quote }} }
- { name: RONDO_KUBERNETES_DELETE_PODS, value: {{ $own.deletePods | quote }} }
- { name: RONDO_KUBERNETES_KEEP, value: {{ $own.keep | int | quote }} }
{{- with $own.podWorker }}
- { name: RONDO_KUBERNETES_POD_WORKER, value: {{ . | quote }} }
{{- end }}
{{- if $own.template }}
- { name: RONDO_KUBERNETES_TEMPLATE, value: /etc/rondo-pods/pod.yaml }
{{- end }}
{{- end -}}

{{/* Environment of services that reach the engines. */}}
{{- define "rondo.eventstore" -}}
- name: RONDO_EVENTSTORE_URL
  valueFrom: { secretKeyRef: { name: {{ .Values.eventstore.secret.name }}, key: {{ .Values.eventstore.secret.key }} } }
{{- end -}}

{{- define "rondo.engines" -}}
{{ include "rondo.eventstore" . }}
- name: RONDO_KAFKA_BROKERS
  value: {{ join "," .Values.kafka.brokers | quote }}
- name: RONDO_KAFKA_REPLICAS
  value: {{ .Values.kafka.replicas | quote }}
- name: RONDO_KAFKA_TLS
  value: {{ ternary "yes" "no" .Values.kafka.tls | quote }}
{{- with .Values.kafka.login.mechanism }}
- name: RONDO_KAFKA_MECHANISM
  value: {{ . | quote }}
- name: RONDO_KAFKA_USERNAME
  valueFrom: { secretKeyRef: { name: {{ $.Values.kafka.login.secret }}, key: username } }
- name: RONDO_KAFKA_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ $.Values.kafka.login.secret }}, key: password } }
{{- end }}
- name: RONDO_POSTGRES_URL
  valueFrom: { secretKeyRef: { name: {{ .Values.postgres.secret.name }}, key: {{ .Values.postgres.secret.key }} } }
- name: RONDO_STORAGE_URL
  value: {{ .Values.storage.url | quote }}
- name: RONDO_STORAGE_CACHE
  value: /var/lib/rondo/cache
{{- end -}}

{{- define "rondo.secretKey" -}}
- name: RONDO_SECRETS_KEY
  valueFrom: { secretKeyRef: { name: {{ .Values.secretKey.secret.name }}, key: {{ .Values.secretKey.secret.key }} } }
{{- end -}}

{{- define "rondo.common" -}}
- name: RONDO_SERVICE_INSTANCE
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: RONDO_SERVICE_HEALTH
  value: 0.0.0.0:8081
- name: RONDO_SERVICE_LOG_LEVEL
  value: {{ .root.Values.logLevel | quote }}
- name: RONDO_SERVICE_LOG_FORMAT
  value: json
{{- if get .root.Values.settings .component }}
- name: RONDO_CONFIG
  value: /etc/rondo/settings.yaml
{{- end }}
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "rondo.probes" -}}
startupProbe: { httpGet: { path: /healthz, port: health }, periodSeconds: 2, failureThreshold: 60 }
livenessProbe: { httpGet: { path: /healthz, port: health }, periodSeconds: 10, failureThreshold: 6 }
readinessProbe: { httpGet: { path: /readyz, port: health }, periodSeconds: 5 }
{{- end -}}

{{- define "rondo.image" -}}
image: "{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{- define "rondo.pod" -}}
serviceAccountName: {{ include "rondo.account" .root }}
securityContext: {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "rondo.selector" . | nindent 8 }}
{{- end -}}

{{- define "rondo.mounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: home, mountPath: /var/lib/rondo }
{{- if get .root.Values.settings .component }}
- { name: settings, mountPath: /etc/rondo, readOnly: true }
{{- end }}
{{- end -}}

{{- define "rondo.volumes" -}}
- { name: tmp, emptyDir: {} }
- { name: home, emptyDir: {} }
{{- if get .root.Values.settings .component }}
- name: settings
  configMap:
    name: {{ include "rondo.name" .root }}
    items: [{ key: {{ .component }}.yaml, path: settings.yaml }]
{{- end }}
{{- end -}}

{{- define "rondo.sharedMount" -}}
{{- if include "rondo.shared" . }}
- { name: shared, mountPath: {{ trimPrefix "file://" .Values.storage.url }} }
{{- end }}
{{- end -}}

{{- define "rondo.sharedVolume" -}}
{{- if include "rondo.shared" . }}
- { name: shared, persistentVolumeClaim: { claimName: {{ include "rondo.claim" . }} } }
{{- end }}
{{- end -}}
