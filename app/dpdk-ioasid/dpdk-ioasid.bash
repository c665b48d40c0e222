# SPDX-License-Identifier: BSD-3-Clause
#
# Completion of dpdk-ioasid for bash. Needs no more than bash itself; with bash-completion
# what stands behind `run` is completed as a command of its own.

_dpdk_ioasid_devices() {
	local device

	for device in /sys/bus/pci/devices/*; do
		echo "${device##*/}"
	done
}

# A colon ends a word in $COMP_WORDBREAKS: what stands before it was completed before.
_dpdk_ioasid_reply() {
	local current=$1 colon

	shift
	mapfile -t COMPREPLY < <(compgen -W "$*" -- "$current")
	if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
		colon=${current%"${current##*:}"}
		COMPREPLY=("${COMPREPLY[@]#"$colon"}")
	fi
}

# The word to complete, put together again where colons have split it.
_dpdk_ioasid_current() {
	local word=${COMP_WORDS[COMP_CWORD]} i=$((COMP_CWORD - 1))

	while ((i > 1)) && [[ $word == :* || ${COMP_WORDS[i]} == : ]]; do
		word=${COMP_WORDS[i]}$word
		((i--))
	done
	echo "$word"
}

# The place of the application behind `run`; 0: not there yet.
_dpdk_ioasid_application() {
	local i

	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) echo $((i + 1)) && return ;;
		--ioasid-dev | --ioasid-mode) ((i++)) ;;
		-*) ;;
		*) echo "$i" && return ;;
		esac
	done
	echo 0
}

_dpdk_ioasid_run() {
	local application

	application=$(_dpdk_ioasid_application)
	if ((application > 0)); then
		if declare -F _command_offset >/dev/null; then
			_command_offset "$application"
		elif ((application == COMP_CWORD)); then
			mapfile -t COMPREPLY < <(compgen -c -- "$1")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$1")
		fi
		return
	fi
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--ioasid-mode) _dpdk_ioasid_reply "$1" auto native container ;;
	--ioasid-dev) mapfile -t COMPREPLY < <(compgen -f -- "$1") ;;
	*)
		if [[ $1 == -* ]]; then
			_dpdk_ioasid_reply "$1" -- --allow-insecure-vfio --ioasid-dev --ioasid-mode --help
		else
			mapfile -t COMPREPLY < <(compgen -c -- "$1")
		fi
		;;
	esac
}

_dpdk_ioasid() {
	local current options

	COMPREPLY=()
	current=$(_dpdk_ioasid_current)
	if ((COMP_CWORD == 1)); then
		_dpdk_ioasid_reply "$current" run check bind unbind cdi --help --version
		[[ $current ]] || _dpdk_ioasid_reply "" run check bind unbind cdi
		return
	fi
	case ${COMP_WORDS[1]} in
	run) _dpdk_ioasid_run "$current" && return ;;
	check) options="--all --json --help" ;;
	bind | unbind) options="--force --help" ;;
	cdi)
		options="--allow-insecure-vfio --json --output --help"
		if [[ ${COMP_WORDS[COMP_CWORD - 1]} == @(-o|--output) ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
			return
		fi
		;;
	*) return ;;
	esac
	if [[ $current == -* ]]; then
		_dpdk_ioasid_reply "$current" "$options"
	else
		_dpdk_ioasid_reply "$current" "$(_dpdk_ioasid_devices)"
	fi
}

complete -F _dpdk_ioasid dpdk-ioasid
