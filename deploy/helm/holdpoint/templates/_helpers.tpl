{{- define "holdpoint.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag }}{{ end }}
{{- end }}

{{- define "holdpoint.labels" -}}
app.kubernetes.io/name: holdpoint
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "holdpoint.podSecurity" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "holdpoint.container" -}}
image: {{ include "holdpoint.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- define "holdpoint.env" -}}
- { name: NODE_ENV, value: production }
- { name: DATABASE_URL, value: {{ .Values.database.url | quote }} }
- { name: DATABASE_PASSWORD_FILE, value: /run/secrets/holdpoint/database-password }
- { name: MIGRATE_AT_START, value: 'false' }
- { name: TEMPORAL_ADDRESS, value: {{ .Values.temporal.address | quote }} }
- { name: TEMPORAL_NAMESPACE, value: {{ .Values.temporal.namespace | quote }} }
{{- with .Values.temporal.apiKeyFrom }}
- { name: TEMPORAL_API_KEY, valueFrom: { secretKeyRef: { name: {{ $.Values.secrets.name | quote }}, key: {{ . | quote }} } } }
{{- end }}
{{- if .Values.modelKey }}
- { name: OPENAI_API_KEY_FILE, value: /run/secrets/holdpoint/openai-api-key }
{{- end }}
{{- if .Values.jwtSecret }}
- { name: JWT_SECRET_FILE, value: /run/secrets/holdpoint/jwt-secret }
{{- end }}
{{- if .Values.auditKey }}
- { name: AUDIT_KEY_FILE, value: /run/secrets/holdpoint/audit-key }
{{- end }}
- { name: HOST, value: 0.0.0.0 }
- { name: PORT, value: '8080' }
- { name: METRICS_HOST, value: 0.0.0.0 }
- { name: METRICS_PORT, value: '9464' }
- { name: DATA_DIR, value: /data }
{{- if .Values.agents }}
- { name: AGENTS_DIR, value: /agents }
{{- end }}
{{- range $name, $value := .Values.settings }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end }}

{{- define "holdpoint.mounts" -}}
- { name: secrets, mountPath: /run/secrets/holdpoint, readOnly: true }
- { name: tmp, mountPath: /tmp }
- { name: data, mountPath: /data }
{{- if .Values.agents }}
- { name: agents, mountPath: /agents, readOnly: true }
{{- end }}
{{- end }}

{{- define "holdpoint.volumes" -}}
# The owner's password is the migration's alone.
- name: secrets
  secret:
    secretName: {{ .Values.secrets.name | quote }}
    items:
      - { key: database-password, path: database-password }
      {{- if .Values.modelKey }}
      - { key: openai-api-key, path: openai-api-key }
      {{- end }}
      {{- if .Values.jwtSecret }}
      - { key: jwt-secret, path: jwt-secret }
      {{- end }}
      {{- if .Values.auditKey }}
      - { key: audit-key, path: audit-key }
      {{- end }}
- { name: tmp, emptyDir: {} }
- { name: data, emptyDir: {} }
{{- if .Values.agents }}
- { name: agents, configMap: { name: {{ .Values.agents | quote }} } }
{{- end }}
{{- end }}
