{{- define "parlour.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "parlour.labels" -}}
app.kubernetes.io/name: parlour
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "parlour.selector" -}}
app.kubernetes.io/name: parlour
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
